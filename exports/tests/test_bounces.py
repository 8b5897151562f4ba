"""A mail that the provider refuses after it has taken it."""

import base64
import json

import pytest
from anymail.signals import AnymailTrackingEvent, EventType, tracking
from django.test import Client
from django.urls import clear_url_caches, include, path
from django.utils import timezone

from blog.models import Notification
from exports import delivery, jobs
from exports.models import Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from exports.models.clock import from_now
from exports.sweeper import prune_rows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]

SECRET = "postmark:a-secret-of-some-length"


class WithWebhooks:
    """The site's addresses as they are where ANYMAIL_WEBHOOK_SECRET is set."""

    urlpatterns = [path("anymail/", include("anymail.urls")), path("", include("microblog.urls"))]


@pytest.fixture
def mailed(finished_task):
    """The mail of an export that went out by a provider, which gave it an id of its own."""
    ExportMail.objects.update(provider_id="esp-7")
    return finished_task.mails.get()


def tell(message_id, event_type=EventType.BOUNCED, **more):
    event = AnymailTrackingEvent(event_type=event_type, message_id=message_id, **more)
    tracking.send(sender=None, event=event, esp_name="Test")


def bounced(mail):
    mail.refresh_from_db()
    return mail.bounced_at is not None


@pytest.mark.parametrize("event_type", [EventType.BOUNCED, EventType.REJECTED, EventType.FAILED])
def test_a_refusal_is_noted_by_the_providers_id(mailed, event_type):
    tell("esp-7", event_type, description="550 No such user")
    assert bounced(mailed)
    assert mailed.bounce_reason == f"{event_type}: 550 No such user"


def test_and_by_our_own_message_id(mailed):
    tell(mailed.message_id)
    assert bounced(mailed)


@pytest.mark.parametrize(
    "event_type", [EventType.DELIVERED, EventType.DEFERRED, EventType.OPENED, EventType.QUEUED]
)
def test_other_news_changes_nothing(mailed, event_type):
    tell("esp-7", event_type)
    assert not bounced(mailed)


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
def test_news_of_another_mail_changes_nothing(mailed, other):
    tell(other)
    assert not bounced(mailed)


def test_our_id_at_another_host_is_not_ours(mailed):
    tell(f"<{mailed.pk}@elsewhere.example>")
    assert not bounced(mailed)


def test_the_task_stays_successful_and_the_mail_sent(mailed, finished_task):
    tell("esp-7")
    finished_task.refresh_from_db()
    mailed.refresh_from_db()
    assert (finished_task.status, mailed.status) == (Status.SUCCESSFUL, MailStatus.SENT)


def test_it_is_told_once_however_often_the_provider_says_so(mailed, finished_task):
    tell("esp-7")
    first = mailed.task.notification_name
    Notification.objects.get(name=first)
    Notification.objects.filter(name=first).update(read_at=timezone.now())
    tell("esp-7", EventType.REJECTED)
    assert finished_task.events.filter(kind=Event.BOUNCED).count() == 1
    assert Notification.objects.get(name=first).read_at is not None


def test_the_owner_is_told_on_every_page_and_on_the_exports_own(
    client, alice, finished_task, mailed
):
    client.force_login(alice)
    client.get(f"/exports/{finished_task.pk}/")
    tell("esp-7", description="550 secret words of a server")
    for address in ("/", "/exports/", f"/exports/{finished_task.pk}/"):
        text = client.get(address).content.decode()
        assert "Your mail provider refused the mail: download it here" in text, address
        assert "secret words" not in text
    text = client.get(f"/exports/{finished_task.pk}/").content.decode()
    assert "The mail provider refused the e-mail" in text
    assert f"/exports/{finished_task.pk}/download/" in text


def test_an_open_page_is_told_too(client, alice, finished_task, mailed):
    client.force_login(alice)
    since = client.get("/notifications/").json()["since"]
    tell("esp-7")
    [news] = client.get("/notifications/", {"since": since}).json()["notifications"]
    assert news["data"]["toast"]["level"] == "warning"
    assert not news["data"]["active"]


def test_staff_see_it_and_can_look_for_it(client, staff, finished_task, bob, mailed):
    other = ExportTask.objects.request(bob.pk)[0]
    tell("esp-7", description="550 No such user")
    client.force_login(staff)
    assert (
        "550 No such user"
        in client.get(f"/admin/exports/exporttask/{finished_task.pk}/change/").content.decode()
    )
    found = client.get("/admin/exports/exporttask/?failure=bounced").content.decode()
    assert f'data-task="{finished_task.pk}"' in found
    assert f'data-task="{other.pk}"' not in found


def test_a_refused_mail_about_a_failure_is_for_staff(task):
    owed = ExportMail.objects.create(
        task=task, purpose=Purpose.FAILURE, status=MailStatus.SENT, provider_id="esp-9"
    )
    Notification.objects.all().delete()
    tell("esp-9")
    assert bounced(owed)
    assert not Notification.objects.exists()


def test_the_reason_is_forgotten_with_other_errors(mailed):
    tell("esp-7", description="<alice@microblog.example> is unknown")
    ExportMail.objects.update(created_at=from_now(-91 * 86400))
    prune_rows()
    mailed.refresh_from_db()
    assert mailed.bounce_reason == ""
    assert mailed.bounced_at is not None


def test_what_a_provider_calls_the_mail_is_kept(task, settings):
    settings.EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
    jobs.run_export(str(task.pk), task.attempt)
    mail = task.mails.get()
    assert (mail.status, mail.provider_id) == (MailStatus.SENT, "0")


def test_another_mail_server_has_no_name_for_it(task):
    task.claim()
    mail = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    assert delivery.send(mail) == ""


# The webhook itself


@pytest.fixture
def webhooks(settings):
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}
    settings.ROOT_URLCONF = WithWebhooks
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


def test_postmark_reports_a_bounce(mailed, webhooks):
    assert post(postmark_bounce("esp-7")).status_code == 200
    assert bounced(mailed)
    assert "smtp;550 5.1.1" in mailed.bounce_reason


def test_mailgun_reports_a_bounce_by_our_own_message_id(mailed, webhooks, settings):
    import hashlib
    import hmac

    settings.ANYMAIL = settings.ANYMAIL | {"MAILGUN_WEBHOOK_SIGNING_KEY": "key"}
    stamp, token = "1795444324", "t" * 50
    payload = {
        "signature": {
            "timestamp": stamp,
            "token": token,
            "signature": hmac.new(b"key", f"{stamp}{token}".encode(), hashlib.sha256).hexdigest(),
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
    assert bounced(mailed)


@pytest.mark.parametrize("secret", ["postmark:another", "", "postmark"])
def test_without_the_secret_nothing_is_believed(mailed, webhooks, secret):
    assert post(postmark_bounce("esp-7"), secret).status_code == 400
    assert not bounced(mailed)


@pytest.mark.parametrize("payload", ["", "[]", "{}", '{"RecordType": "Bounce"}', "\ud800"])
def test_nonsense_breaks_nothing_and_is_not_believed(mailed, webhooks, payload):
    client_answer = Client(raise_request_exception=False).post(
        "/anymail/postmark/tracking/", payload.encode(errors="replace"), "application/json"
    )
    assert client_answer.status_code == 400
    assert not bounced(mailed)


def test_a_webhook_takes_posts_only(webhooks):
    assert Client().get("/anymail/postmark/tracking/").status_code == 405


def test_where_no_secret_is_set_there_is_no_webhook(client, mailed):
    assert post(postmark_bounce("esp-7")).status_code == 404
    assert not bounced(mailed)
