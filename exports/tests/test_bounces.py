"""Bounces: mails that the provider accepted and could not deliver."""

import base64
import json

import pytest
from anymail.signals import AnymailTrackingEvent, EventType, tracking
from django.test import Client
from django.urls import clear_url_caches, include, path
from django.utils import timezone

from blog.models import Notification
from exports.models import Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from exports.sweeper import prune_details
from tasks import jobs
from tasks.models.clock import from_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]

SECRET = "postmark:a-secret-of-some-length"


class WebhookURLs:
    """URLconf of the site with ANYMAIL_WEBHOOK_SECRET set."""

    urlpatterns = [path("anymail/", include("anymail.urls")), path("", include("microblog.urls"))]


@pytest.fixture
def mailed(finished_task):
    """Return an export's mail that was sent through a provider with its own ids."""
    ExportMail.objects.update(provider_id="esp-7")
    return finished_task.mails.get()


def send_event(message_id, event_type=EventType.BOUNCED, **more):
    event = AnymailTrackingEvent(event_type=event_type, message_id=message_id, **more)
    tracking.send(sender=None, event=event, esp_name="Test")


def is_bounced(mail):
    mail.refresh_from_db()
    return mail.bounced_at is not None


@pytest.mark.parametrize("event_type", [EventType.BOUNCED, EventType.REJECTED, EventType.FAILED])
def test_bounce_is_recorded_by_provider_id(mailed, event_type):
    send_event("esp-7", event_type, description="550 No such user")
    assert is_bounced(mailed)
    assert mailed.bounce_reason == f"{event_type}: 550 No such user"


def test_bounce_is_recorded_by_own_message_id(mailed):
    send_event(mailed.message_id)
    assert is_bounced(mailed)


@pytest.mark.parametrize(
    "event_type", [EventType.DELIVERED, EventType.DEFERRED, EventType.OPENED, EventType.QUEUED]
)
def test_other_tracking_events_change_nothing(mailed, event_type):
    send_event("esp-7", event_type)
    assert not is_bounced(mailed)


@pytest.mark.parametrize(
    "other",
    [
        "esp-8",
        "",
        None,
        "<00000000-0000-4000-8000-000000000000@testserver>",
        "<x@testserver>",
        "<>",
    ],
)
def test_bounce_of_unknown_mail_changes_nothing(mailed, other):
    send_event(other)
    assert not is_bounced(mailed)


def test_own_id_at_other_host_is_ignored(mailed):
    send_event(f"<{mailed.pk}@elsewhere.example>")
    assert not is_bounced(mailed)


def test_bounce_keeps_status_of_task_and_mail(mailed, finished_task):
    send_event("esp-7")
    finished_task.refresh_from_db()
    mailed.refresh_from_db()
    assert (finished_task.status, mailed.status) == (Status.SUCCESSFUL, MailStatus.SENT)


def test_repeated_bounce_is_recorded_and_notified_once(mailed, finished_task):
    send_event("esp-7")
    name = mailed.task.notification_name
    Notification.objects.get(name=name)
    Notification.objects.filter(name=name).update(read_at=timezone.now())
    send_event("esp-7", EventType.REJECTED)
    assert finished_task.events.filter(kind=Event.BOUNCED).count() == 1
    assert Notification.objects.get(name=name).read_at is not None


def test_bounce_is_shown_to_owner_without_reason(client, alice, finished_task, mailed):
    client.force_login(alice)
    client.get(f"/exports/{finished_task.pk}/")
    send_event("esp-7", description="550 secret words of a server")
    for address in ("/", "/exports/", f"/exports/{finished_task.pk}/"):
        text = client.get(address).content.decode()
        assert "Your mail provider refused the mail: download it here" in text, address
        assert "secret words" not in text
    text = client.get(f"/exports/{finished_task.pk}/").content.decode()
    assert "The mail provider refused the e-mail" in text
    assert f"/exports/{finished_task.pk}/download/" in text


def test_bounce_reaches_open_page_as_warning(client, alice, finished_task, mailed):
    client.force_login(alice)
    since = client.get("/notifications/").json()["since"]
    send_event("esp-7")
    [notification] = client.get("/notifications/", {"since": since}).json()["notifications"]
    assert notification["data"]["toast"]["level"] == "warning"
    assert not notification["data"]["active"]


def test_staff_see_bounce_and_filter_by_it(client, staff, finished_task, bob, mailed):
    other = ExportTask.objects.request(bob)[0]
    send_event("esp-7", description="550 No such user")
    client.force_login(staff)
    assert (
        "550 No such user"
        in client.get(f"/admin/exports/exporttask/{finished_task.pk}/change/").content.decode()
    )
    found = client.get("/admin/exports/exporttask/?failure=bounced").content.decode()
    assert f'data-task="{finished_task.pk}"' in found
    assert f'data-task="{other.pk}"' not in found


def test_bounced_failure_mail_does_not_notify_owner(task):
    failure_mail = ExportMail.objects.create(
        task=task, purpose=Purpose.FAILURE, status=MailStatus.SENT, provider_id="esp-9"
    )
    Notification.objects.all().delete()
    send_event("esp-9")
    assert is_bounced(failure_mail)
    assert not Notification.objects.exists()


def test_prune_clears_bounce_reason(mailed):
    send_event("esp-7", description="<alice@microblog.example> is unknown")
    ExportMail.objects.update(created_at=from_now(-91 * 86400))
    prune_details()
    mailed.refresh_from_db()
    assert mailed.bounce_reason == ""
    assert mailed.bounced_at is not None


def test_provider_id_is_saved(task, settings):
    settings.EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    mail = task.mails.get()
    assert (mail.status, mail.provider_id) == (MailStatus.SENT, "0")


def test_mail_server_without_ids_returns_empty_id(task):
    task.claim()
    mail = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    jobs.send_mail("exports.ExportMail", str(mail.pk), 0)
    mail.refresh_from_db()
    assert (mail.status, mail.provider_id) == (MailStatus.SENT, "")


# Webhooks


@pytest.fixture
def webhooks(settings):
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}
    settings.ROOT_URLCONF = WebhookURLs
    clear_url_caches()
    yield
    clear_url_caches()


def post(payload, secret=SECRET, esp="postmark"):
    authorization = "Basic " + base64.b64encode(secret.encode()).decode()
    return Client(enforce_csrf_checks=True).post(
        f"/anymail/{esp}/tracking/",
        payload,
        "application/json",
        headers={"Authorization": authorization},
    )


def postmark_bounce(message_id):
    return json.dumps(
        {
            "RecordType": "Bounce",
            "ID": 901542550,
            "Type": "HardBounce",
            "TypeCode": 1,
            "MessageID": message_id,
            "Description": "The server was unable to deliver your message.",
            "Details": "smtp;550 5.1.1 The email account does not exist.",
            "Email": "alice@microblog.example",
            "BouncedAt": "2026-11-23T10:00:00.000000Z",
            "Inactive": True,
            "CanActivate": True,
        }
    )


def test_postmark_webhook_records_bounce(mailed, webhooks):
    assert post(postmark_bounce("esp-7")).status_code == 200
    assert is_bounced(mailed)
    assert "smtp;550 5.1.1" in mailed.bounce_reason


def test_mailgun_webhook_records_bounce_by_message_id(mailed, webhooks, settings):
    import hashlib
    import hmac

    settings.ANYMAIL = settings.ANYMAIL | {"MAILGUN_WEBHOOK_SIGNING_KEY": "key"}
    timestamp, token = "1795444324", "t" * 50
    payload = {
        "signature": {
            "timestamp": timestamp,
            "token": token,
            "signature": hmac.new(
                b"key", f"{timestamp}{token}".encode(), hashlib.sha256
            ).hexdigest(),
        },
        "event-data": {
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "id": "x",
            "timestamp": 1795444324.1,
            "recipient": "alice@microblog.example",
            "message": {"headers": {"message-id": mailed.message_id.strip("<>")}},
            "delivery-status": {"code": 550, "message": "No such user", "description": ""},
        },
    }
    assert post(json.dumps(payload), esp="mailgun").status_code == 200
    assert is_bounced(mailed)


@pytest.mark.parametrize("secret", ["postmark:another", "", "postmark"])
def test_webhook_rejects_wrong_secret(mailed, webhooks, secret):
    assert post(postmark_bounce("esp-7"), secret).status_code == 400
    assert not is_bounced(mailed)


@pytest.mark.parametrize("payload", ["", "[]", "{}", '{"RecordType": "Bounce"}', "\ud800"])
def test_webhook_rejects_invalid_payload(mailed, webhooks, payload):
    response = Client(raise_request_exception=False).post(
        "/anymail/postmark/tracking/", payload.encode(errors="replace"), "application/json"
    )
    assert response.status_code == 400
    assert not is_bounced(mailed)


def test_webhook_rejects_get(webhooks):
    assert Client().get("/anymail/postmark/tracking/").status_code == 405


def test_webhook_is_404_without_configured_secret(client, mailed):
    assert post(postmark_bounce("esp-7")).status_code == 404
    assert not is_bounced(mailed)
