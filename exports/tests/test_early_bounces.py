"""A bounce and the record of its mail at the same moment, on real transactions."""

import threading

import pytest
from anymail.signals import AnymailTrackingEvent, EventType, tracking
from django.db import connections, transaction

from conftest import is_waiting_for_lock, wait_until
from exports.models import EarlyBounce, ExportMail, MailStatus, Purpose

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sending(task):
    """Return a mail that is being sent."""
    task.claim()
    mail = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    assert mail.claim()
    return mail


def send_event(message_id):
    event = AnymailTrackingEvent(event_type=EventType.BOUNCED, message_id=message_id)
    tracking.send(sender=None, event=event, esp_name="Test")


def in_thread(action):
    def run():
        try:
            action()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_webhook_waits_for_the_sender_that_records(sending):
    with transaction.atomic():
        sending.mark_sent("esp-1")
        webhook = in_thread(lambda: send_event("esp-1"))
        wait_until(is_waiting_for_lock)
    webhook.join()
    sending.refresh_from_db()
    assert (sending.status, sending.bounced_at is None) == (MailStatus.SENT, False)


@pytest.mark.parametrize("known", [True, False], ids=["own id", "provider's id"])
def test_webhook_and_sender_do_not_wait_for_each_other(sending, known):
    message_id = sending.message_id if known else "esp-1"
    with transaction.atomic():
        sending.lock_owner()
        webhook = in_thread(lambda: send_event(message_id))
        wait_until(lambda: is_waiting_for_lock() or not webhook.is_alive())
        assert sending.mark_sent("esp-1")
    webhook.join()
    sending.refresh_from_db()
    assert (sending.status, sending.bounced_at is None) == (MailStatus.SENT, False)


def test_sender_waits_for_the_webhook_that_records(sending):
    with transaction.atomic():
        send_event("esp-1")
        sender = in_thread(lambda: sending.mark_sent("esp-1"))
        wait_until(is_waiting_for_lock)
    sender.join()
    sending.refresh_from_db()
    assert (sending.status, sending.bounced_at is None) == (MailStatus.SENT, False)
    assert EarlyBounce.objects.count() == 1
