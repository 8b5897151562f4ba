"""Progress bars on all pages, of every kind of task that its owner follows."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.db.models import CharField, Q, QuerySet, Value
from django.template import RequestContext

from blog import notifications
from blog.models import Notification, User, reported_task_models

register = template.Library()

MAX_RECENT = 5  # newest notifications of tasks, which are read for every page
MAX_SHOWN = 20  # newest notifications of which unseen failures are shown


@register.inclusion_tag("blog/_progress_bars.html", takes_context=True)
def progress_bars(context: RequestContext) -> dict[str, Any]:
    """Render a bar for each task in progress, and an alert for each unread failure."""
    user: User = context["request"].user
    rows = list(_shown_notifications(user))
    context["request"].task_notifications = rows[:MAX_RECENT]  # for `recent_exports`: no query
    toasts = [_render(row)["toast"] for row in rows if row.read_at is None]
    return {
        "bars": [_render(row) for row in _notifications_in_progress(user)],
        "opened_at": getattr(user, "loaded_at", None),
        "since": rows[0].updated_at if rows else None,
        "failures": [toast for toast in toasts if toast and toast["level"] != "success"],
    }


def _shown_notifications(user: User) -> QuerySet[Notification]:
    """Return the newest, and unread ones however many have followed: a failure stays until seen."""
    is_about_task = Q()
    for model in reported_task_models():
        is_about_task |= Q(name__startswith=f"{model.notification_prefix}:")
    rows = user.notifications.filter(is_about_task).order_by("-updated_at")
    newest = rows[:MAX_RECENT].values("pk")
    return rows.filter(Q(pk__in=newest) | Q(read_at=None, is_listed=True))[:MAX_SHOWN]


def _notifications_in_progress(user: User) -> Iterable[Notification]:
    """Return the last notifications of tasks in progress, which have their queue position.

    One query finds the tasks of all kinds: most pages have none.
    """
    kinds = [
        model.with_progress_bar(user)
        .order_by()
        .values_list(Value(model.notification_prefix, output_field=CharField()), "pk")
        for model in reported_task_models()
    ]
    names = [f"{prefix}:{pk}" for prefix, pk in kinds[0].union(*kinds[1:], all=True)]
    return user.notifications.filter(name__in=names).order_by("pk") if names else []


def _render(notification: Notification) -> dict[str, Any]:
    return notifications.render(notification.name, notification.payload)
