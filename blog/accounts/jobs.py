"""What RQ runs for people's accounts, and how it gets onto the queue.

A job can run twice, or be lost: the claim of the row makes that harmless, and the sweeper asks again.
"""

import logging

import django_rq
from django.core.mail import EmailMultiAlternatives
from redis.exceptions import RedisError

from microblog import request_ids

from ..models import AccountMail

logger = logging.getLogger(__name__)

FAILED_JOBS_SECONDS = 7 * 86400  # how long the dashboard keeps them; RQ's own is a year


def hand_out(mail: AccountMail) -> None:
    """Have a mail sent by a worker or, where the queue is away, at once. Call it after commit."""
    if not enqueue_mail(mail):
        send_account_mail(str(mail.pk), mail.tries)


def enqueue_mail(mail: AccountMail) -> bool:
    """Put a mail before the exports; False, logged, if the broker cannot be reached. Call it after commit."""
    try:
        django_rq.get_queue("default").enqueue(
            send_account_mail,
            str(mail.pk),
            mail.tries,
            job_id=mail.job_id,
            at_front=True,
            failure_ttl=FAILED_JOBS_SECONDS,
            meta=request_ids.job_meta(),
        )
    except RedisError as error:
        logger.warning("Mail %s is not on the queue: %s", mail.pk, error)
        return False
    return True


def send_account_mail(mail_id: str, tries: int) -> None:
    """Send one mail, if that try is still to be made. One that does not go out is tried again by the sweeper."""
    mail = AccountMail.objects.select_related("about").filter(pk=mail_id, tries=tries).first()
    if mail is None or not mail.claim():
        return
    if mail.is_pointless:
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
        logger.warning("Mail %s, try %d, was not sent: %r", mail.pk, tries + 1, error)
    else:
        mail.delete()
