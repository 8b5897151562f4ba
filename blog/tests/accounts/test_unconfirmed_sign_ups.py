"""Selection of unconfirmed sign-ups to delete."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone
from model_bakery import baker

from blog.models import SIGN_UP_RETENTION, Post, User

pytestmark = pytest.mark.django_db

UNCONFIRMED_AGE = SIGN_UP_RETENTION + timedelta(minutes=1)


@pytest.fixture
def carol():
    """Create a user who signed up a week ago and never confirmed the address."""
    carol = User.objects.create_user(
        "carol", "carol@microblog.example", "x", date_joined=timezone.now() - UNCONFIRMED_AGE
    )
    EmailAddress.objects.create(user=carol, email=carol.email, primary=True)
    return carol


def test_old_unconfirmed_sign_up_is_selected(carol, alice):
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
def test_new_active_or_staff_users_are_kept(carol, changes):
    User.objects.update(**changes)
    assert not User.objects.never_confirmed().exists()


def test_user_with_confirmed_address_is_kept(carol):
    EmailAddress.objects.create(user=carol, email="old@microblog.example", verified=True)
    assert not User.objects.never_confirmed().exists()


def test_user_with_posts_is_kept(carol):
    baker.make(Post, author=carol)
    assert not User.objects.never_confirmed().exists()


def test_user_without_address_is_kept(carol):
    EmailAddress.objects.all().delete()
    assert not User.objects.never_confirmed().exists()
