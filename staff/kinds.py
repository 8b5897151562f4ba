"""Kinds of tasks and mails: which belong together, what they are called, where their pages are."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from tasks.models import Mail, Task, mail_models, task_models


def page_url(model: type[Model] | Model, page: str, *args: Any) -> str:
    opts = model._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)


def row_url(row: Model) -> str:
    return page_url(row, "change", row.pk)


def kind_title(model: type[Model]) -> str:
    return str(capfirst(model._meta.verbose_name_plural))


def row_title(row: Task | Mail) -> str:
    """Return for example "Export of alice"."""
    kind = str(capfirst(row._meta.verbose_name))
    owner = row.owner if isinstance(row, Task) else None
    if owner is None:
        return kind
    return _("%(kind)s of %(owner)s") % {"kind": kind, "owner": owner.username}


def task_model_of(mail_model: type[Mail]) -> type[Task] | None:
    """Return the kind of task that such mails are about, which they name in the field `task`."""
    opts: Any = mail_model._meta  # the abstract class has no such field
    try:
        related = opts.get_field("task").related_model
    except FieldDoesNotExist:
        return None
    return related if issubclass(related, Task) else None


def mail_model_of(task_model: type[Task]) -> type[Mail] | None:
    """Return the kind of mail about such tasks, which is their related name `mails`."""
    return next((mail for mail in mail_models() if task_model_of(mail) is task_model), None)


def find_tasks(ids: Iterable[str]) -> dict[str, Task]:
    """Return tasks of any kind by id, with their owners; at most one query for each kind."""
    keys = [UUID(key) for key in ids]
    if not keys:
        return {}
    return {
        str(task.pk): task
        for model in task_models()
        for task in model.objects.filter(pk__in=keys).select_related("owner")
    }
