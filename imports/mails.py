"""The mail about the end of an import."""

from allauth.account.adapter import get_adapter
from django.conf import settings

from tasks.models import Status

from .models import ImportTask, Phase


def save_mail(task: ImportTask) -> None:
    """Save a mail about an import that is done, or about any phase that failed."""
    owner, is_failure = task.owner, task.status == Status.FAILED
    address = owner.confirmed_email
    if not address or not (is_failure or task.phase == Phase.IMPORT):
        return
    context = {
        "user": owner,
        "task": task,
        "excluded": sum(task.preview.get("excluded", {}).values()),
        "url": settings.SITE_URL + task.get_absolute_url(),
    }
    template = "email/import_failed" if is_failure else "email/import_done"
    get_adapter().send_mail(template, address, context)
