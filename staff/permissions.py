"""Permissions on kinds of tasks and mails; migrations of `exports` grant them to groups.

Whoever has Django's `view` permission on a kind sees it. Whoever has `operate` on any kind of task
may also repair queue and workers, which all kinds share. Superusers have every permission.
"""

from typing import Any

from django.db.models import Model

from tasks.models import task_models

DASHBOARD = "django_rq.admin"


def permission(model: type[Model], codename: str) -> str:
    return f"{model._meta.app_label}.{codename}_{model._meta.model_name}"


def is_operator(user: Any) -> bool:
    return any(user.has_perm(permission(model, "operate")) for model in task_models())
