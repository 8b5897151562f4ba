"""Sign-ups that nobody confirms do not stay."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone
from model_bakery import baker

from blog.models import SIGN_UP_RETENTION, Post, User

pytestmark = pytest.mark.django_db

LONG_AGO = SIGN_UP_RETENTION + timedelta(minutes=1)


@pytest.fixture
def carol():
    """Who signed up a week ago, and was not heard of again."""
    carol = User.objects.create_user(
        "carol", "carol@microblog.example", "x", date_joined=timezone.now() - LONG_AGO
    )
    EmailAddress.objects.create(user=carol, email=carol.email, primary=True)
    return carol


def test_one_that_nobody_confirmed_is_among_them(carol, alice):
    assert list(User.objects.never_confirmed()) == [carol]


@pytest.mark.parametrize(
    "changes",
    [
        {"date_joined": timezone.now() - SIGN_UP_RETENTION + timedelta(hours=1)},
        {"last_login": timezone.now()},
        {"is_staff": True},
        {"is_superuser": True},
    ],
)
def test_who_has_time_left_was_here_or_is_staff_stays(carol, changes):
    User.objects.update(**changes)
    assert not User.objects.never_confirmed().exists()


def test_who_confirmed_any_address_stays(carol):
    EmailAddress.objects.create(user=carol, email="old@microblog.example", verified=True)
    assert not User.objects.never_confirmed().exists()


def test_who_has_written_stays(carol):
    baker.make(Post, author=carol)
    assert not User.objects.never_confirmed().exists()


def test_whom_staff_gave_no_address_stays(carol):
    EmailAddress.objects.all().delete()
    assert not User.objects.never_confirmed().exists()
