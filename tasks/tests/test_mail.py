import pytest
from django.utils import timezone

from tasks.models import MailStatus, TaskEventKind
from tasks.models.clock import from_now
from tasks.models.mail import MAX_PAUSE_SECONDS, MAX_QUICK_RETRIES

from .conftest import expire_lease, reload
from .models import SampleMail

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail(task):
    return SampleMail.objects.create(task=task)


@pytest.fixture
def sending(mail):
    assert mail.claim()
    return mail


def pause(mail):
    return (reload(mail).next_try_at - timezone.now()).total_seconds()


def test_only_one_sender_gets_the_claim(mail):
    other = reload(mail)
    assert mail.claim()
    assert not other.claim()
    assert (reload(mail).status, reload(mail).tries) == (MailStatus.SENDING, 1)


def test_sent_mail_is_recorded(sending):
    assert sending.mark_sent("x" * 300)
    row = reload(sending)
    assert (row.status, row.provider_id) == (MailStatus.SENT, "x" * 255)
    assert row.sent_at is not None
    assert row.lease_expires_at is None
    assert sending.task.events.last().kind == TaskEventKind.MAILED


def test_late_sender_changes_nothing(sending):
    late = reload(sending)
    expire_lease(sending)
    sending.retry_now("silent")
    assert not late.renew()
    assert not late.mark_sent()
    assert not late.retry_later("x")
    assert not late.give_up("x")
    assert reload(sending).status == MailStatus.PENDING


def test_pause_doubles_with_each_try(mail, settings):
    settings.EXPORT_TICK_SECONDS = 5
    pauses = []
    for _ in range(4):
        mail.claim()
        assert mail.retry_later("busy")
        pauses.append(round(pause(mail)))
    assert pauses == [10, 20, 40, 80]
    assert mail.error == "busy"


def test_pause_has_a_maximum(mail):
    SampleMail.objects.update(tries=30)
    mail = reload(mail)
    mail.claim()
    mail.retry_later("busy")
    assert MAX_PAUSE_SECONDS - 5 < pause(mail) <= MAX_PAUSE_SECONDS


def test_killed_sender_is_retried_at_once(sending):
    assert sending.retry_now("killed")
    assert pause(sending) < 1


def test_repeatedly_killed_sender_pauses(mail):
    SampleMail.objects.update(tries=MAX_QUICK_RETRIES - 1)
    mail = reload(mail)
    mail.claim()
    assert mail.retry_now("killed")
    assert pause(mail) > 1


@pytest.mark.parametrize("verb", ["retry_later", "retry_now"])
def test_day_old_mail_is_given_up(sending, verb):
    SampleMail.objects.update(created_at=from_now(-86401))
    assert getattr(sending, verb)("busy")
    assert reload(sending).status == MailStatus.GAVE_UP


def test_enqueued_mail_is_left_alone_by_sweeper(mail):
    assert list(SampleMail.objects.due()) == [mail]
    assert mail.defer()
    assert not SampleMail.objects.due().exists()
    assert reload(mail).claim()


def test_expired_lease_is_found(sending):
    assert not SampleMail.objects.lease_expired().exists()
    expire_lease(sending)
    assert list(SampleMail.objects.lease_expired()) == [sending]


def test_renewed_lease_does_not_expire(sending):
    expire_lease(sending)
    assert sending.renew()
    assert not SampleMail.objects.lease_expired().exists()


def test_message_id_is_the_same_for_every_try(mail):
    first = mail.message_id
    mail.claim()
    mail.retry_later("busy")
    assert mail.message_id == first
    assert str(mail.pk) in first
