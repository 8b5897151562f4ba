"""RQ jobs for account mails.

A job may run twice or be lost: `AccountMail.claim` makes the job idempotent, and the sweeper
enqueues it again.
"""

import logging

import django_rq
from django.core.mail import EmailMultiAlternatives
from redis.exceptions import RedisError

from microblog import request_ids

from ..models import AccountMail

logger = logging.getLogger(__name__)

FAILED_JOB_TTL_SECONDS = 7 * 86400  # for the RQ dashboard; RQ's default is a year


def enqueue_or_send(mail: AccountMail) -> None:
    """Enqueue a mail, or send it at once if the broker is unreachable. Call after commit."""
    if not enqueue_mail(mail):
        send_account_mail(str(mail.pk), mail.tries)


def enqueue_mail(mail: AccountMail) -> bool:
    """Enqueue a mail ahead of all exports. Call after commit.

    Return False, and log a warning, if the broker is unreachable.
    """
    try:
        django_rq.get_queue("default").enqueue(
            send_account_mail,
            str(mail.pk),
            mail.tries,
            job_id=mail.job_id,
            at_front=True,
            failure_ttl=FAILED_JOB_TTL_SECONDS,
            meta=request_ids.job_meta(),
        )
    except RedisError as error:
        logger.warning("Mail %s not enqueued: %s", mail.pk, error)
        return False
    return True


def send_account_mail(mail_id: str, tries: int) -> None:
    """Send a mail, unless this try was already made. The sweeper retries a mail that failed."""
    mail = AccountMail.objects.select_related("about").filter(pk=mail_id, tries=tries).first()
    if mail is None or not mail.claim():
        return
    if mail.is_already_read:
        mail.delete()
        return
    message = EmailMultiAlternatives(
        mail.subject,
        mail.text,
        to=[mail.to],
        headers={"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated"}
        | request_ids.mail_headers(),
    )
    message.attach_alternative(mail.html, "text/html")
    try:
        message.send()
    except Exception as error:
        logger.warning("Mail %s not sent (try %d): %r", mail.pk, tries + 1, error)
    else:
        mail.delete()
