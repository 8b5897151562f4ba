"""Archive and task in, e-mail out. Knows no queue, and changes no row."""

from django.conf import settings
from django.core.mail import DNS_NAME, EmailMultiAlternatives, get_connection
from django.db.models import OuterRef, Subquery
from django.template.loader import render_to_string
from django.utils import timezone, translation

from blog.models import User, confirmed_emails
from microblog import request_ids

from .archive import build as archive
from .archive.kinds import KINDS
from .models import ExportMail, ExportTask, Purpose

BODIES_BYTES = 32 * 1024  # more than headers and both bodies ever take


class Undeliverable(Exception):
    """There is nowhere to send the mail to; trying again would not help."""


def warm_up() -> None:
    """Compose a mail of each purpose in each language, to nobody: templates, words and addresses are loaded then."""
    task = ExportTask(
        owner=User(), archive="-.zip", archive_bytes=0, archive_expires_at=timezone.now()
    )
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            for purpose in Purpose:
                compose(ExportMail(task=task, purpose=purpose), "").message().as_bytes()
    get_connection()  # its module
    DNS_NAME.get_fqdn()  # a mail server is greeted with it, and finding it out may take a question to the network


def send(mail: ExportMail) -> str:
    """Send `mail` to the owner's confirmed address of this moment; what the mail provider calls it, if it is one.

    Raises Undeliverable where there is none, and whatever the mail backend raises.
    """
    confirmed = confirmed_emails(OuterRef("owner"))[:1]
    tasks = ExportTask.objects.select_related("owner").annotate(address=Subquery(confirmed))
    mail.task = task = tasks.get(pk=mail.task_id)
    address: str | None = task.address  # type: ignore[attr-defined]  # it is annotated
    if not task.owner.is_active:
        raise Undeliverable("The account is closed.")
    if not address:
        raise Undeliverable("The account has no confirmed e-mail address.")
    with translation.override(task.owner_language):
        message = compose(mail, address)
    message.send()
    status = getattr(message, "anymail_status", None)
    return "" if status is None or status.message_id is None else str(status.message_id)


def compose(mail: ExportMail, address: str) -> EmailMultiAlternatives:
    """The message in the active language, with the archive attached where it fits."""
    task, kind = mail.task, KINDS[mail.task.kind]
    attached = (
        mail.purpose == Purpose.ARCHIVE
        and not archive.is_packed(task)
        and fits(task.archive_bytes or 0)
    )
    context = {
        "task": task,
        "owner": task.owner,
        "url": settings.SITE_URL + task.get_absolute_url(),
        "is_attached": attached,
        "kind": kind,
        "delivery": kind.delivery(task.rows_total),
    }
    template = f"email/export_{mail.purpose.lower()}"
    message = EmailMultiAlternatives(
        subject=settings.EMAIL_SUBJECT_PREFIX + subject(mail),
        body=render_to_string(f"{template}.txt", context),
        to=[address],
        headers={"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated"}
        | request_ids.mail_headers(),
    )
    message.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    if attached:
        message.attach(kind.file_name, read(task), kind.content_type)
    return message


def subject(mail: ExportMail) -> str:
    words = KINDS[mail.task.kind].words
    return str(words.subject if mail.purpose == Purpose.ARCHIVE else words.failure_subject)


def fits(size: int) -> bool:
    """Whether an archive of `size` bytes can be attached: base64 makes four of three, and lines of 76 end in CRLF."""
    encoded = (size + 2) // 3 * 4
    return bool(BODIES_BYTES + encoded + encoded // 76 * 2 <= settings.EXPORT_MAIL_LIMIT)


def read(task: ExportTask) -> bytes:
    try:
        with task.archive.open("rb") as file:
            content: bytes = file.read()
    except FileNotFoundError:
        raise Undeliverable("The archive is not there any more.") from None
    return content
