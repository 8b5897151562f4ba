"""Unconfirmed sign-ups: which are deleted, and a confirmation at that moment."""

import threading
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone
from model_bakery import baker

from blog import sweeper
from blog.models import SIGN_UP_RETENTION, Post, User
from conftest import is_waiting_for_lock, wait_until
from tasks.models.rows import change_each

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


def confirm(user):
    """Follow the link in the mail to a user who has not confirmed the address."""
    address = EmailAddress.objects.get(user=user)
    return Client().post(f"/accounts/confirm-email/{EmailConfirmationHMAC(address).key}/")


@pytest.mark.django_db(transaction=True)
def test_unconfirmed_sign_ups_are_deleted_one_by_one(carol, alice, caplog):
    sweeper.prune_unconfirmed_users()
    assert list(User.objects.all()) == [alice]


@pytest.mark.django_db(transaction=True)
def test_user_who_confirms_during_the_selection_is_kept(carol, monkeypatch):
    def confirm_first(rows, change):
        def confirm_and_change(user):
            EmailAddress.objects.filter(user=user).update(verified=True)
            return change(user)

        return change_each(rows, confirm_and_change)

    monkeypatch.setattr(sweeper, "change_each", confirm_first)
    sweeper.prune_unconfirmed_users()
    assert User.objects.get() == carol


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_user_whose_confirmation_is_being_saved_is_kept(carol):
    held, done = threading.Event(), threading.Event()

    def hold_confirmation():
        with transaction.atomic():
            confirm(carol)
            held.set()
            done.wait(10)
        connections.close_all()

    thread = threading.Thread(target=hold_confirmation)
    thread.start()
    assert held.wait(10)
    sweeper.prune_unconfirmed_users()
    done.set()
    thread.join()
    assert User.objects.get().confirmed_email == carol.email


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_confirmation_after_the_deletion_is_refused(carol):
    responses = []

    def click():
        responses.append(confirm(carol))
        connections.close_all()

    with transaction.atomic():
        sweeper.prune_unconfirmed_users()
        thread = threading.Thread(target=click)
        thread.start()
        wait_until(is_waiting_for_lock)
    thread.join()
    assert responses[0].status_code < 500
    assert not User.objects.exists()


def test_link_of_a_deleted_sign_up_is_refused(carol):
    address = EmailAddress.objects.get(user=carol)
    url = f"/accounts/confirm-email/{EmailConfirmationHMAC(address).key}/"
    sweeper.prune_unconfirmed_users()
    assert Client().post(url).status_code == 404
