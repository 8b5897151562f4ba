"""Contents of the mails about exports."""

from uuid import UUID

from django.conf import settings
from django.core.mail import DNS_NAME, EmailMultiAlternatives, get_connection
from django.db.models import OuterRef, Subquery
from django.template.loader import render_to_string
from django.utils import timezone, translation

from blog.models import User, confirmed_emails
from microblog import request_ids
from tasks.models import Undeliverable

from .archive import build as archive
from .archive.kinds import KINDS
from .models import ExportMail, ExportTask, Purpose

NO_TASK = UUID(int=0)
MESSAGE_OVERHEAD_BYTES = 32 * 1024  # an upper limit of the headers and both bodies


def preload() -> None:
    """Load templates, translations and modules, by composing each mail in each language."""
    ExportTask.objects.select_related("owner").filter(pk=NO_TASK).first()
    task = ExportTask(
        owner=User(), archive="-.zip", archive_bytes=0, archive_expires_at=timezone.now()
    )
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            for purpose in Purpose:
                compose(ExportMail(task=task, purpose=purpose), "").message().as_bytes()
    get_connection()  # imports the mail backend
    DNS_NAME.get_fqdn()  # cached; the first call may wait for a DNS server


def compose_for_owner(mail: ExportMail) -> EmailMultiAlternatives:
    """Return the message to the owner's currently confirmed address, in the owner's language.

    Raise Undeliverable if there is no such address.
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
        return compose(mail, address)


def compose(mail: ExportMail, address: str) -> EmailMultiAlternatives:
    """Return the message in the active language, with the archive attached if it is small."""
    task, kind = mail.task, KINDS[mail.task.kind]
    is_archive = mail.purpose == Purpose.ARCHIVE
    is_attached = (
        is_archive
        and mail.is_attachable
        and not archive.is_zipped(task)
        and is_attachable(task.archive_bytes or 0)
    )
    context = {
        "task": task,
        "owner": task.owner,
        "url": settings.SITE_URL + task.get_absolute_url(),
        "is_attached": is_attached,
        "kind": kind,
        "delivery": kind.delivery_text(task.rows_total),
    }
    subject = str(kind.texts.subject if is_archive else kind.texts.failure_subject)
    template = f"email/export_{mail.purpose.lower()}"
    message = EmailMultiAlternatives(
        subject=settings.EMAIL_SUBJECT_PREFIX + subject,
        body=render_to_string(f"{template}.txt", context),
        to=[address],
        headers={"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated"}
        | request_ids.mail_headers(),
    )
    message.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    if is_attached:
        message.attach(kind.file_name, _read_archive(task), kind.content_type)
    return message


def is_attachable(size: int) -> bool:
    """Return whether an archive of `size` bytes fits in EXPORT_MAIL_LIMIT once it is encoded.

    Base64 turns three bytes into four, in lines of 76 characters that end with CRLF.
    """
    encoded = (size + 2) // 3 * 4
    return bool(MESSAGE_OVERHEAD_BYTES + encoded + encoded // 76 * 2 <= settings.EXPORT_MAIL_LIMIT)


def _read_archive(task: ExportTask) -> bytes:
    try:
        with task.archive.open("rb") as file:
            content: bytes = file.read()
    except FileNotFoundError:
        raise Undeliverable("The archive no longer exists.") from None
    return content
