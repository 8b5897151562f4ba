"""What pages show of exports: bars everywhere, and the request on one's own profile."""

from typing import Any

from django import template
from django.db.models import QuerySet
from django.template import RequestContext

from blog.models import PK_PLACEHOLDER, CompiledQuery, Notification, User
from exports.archive.kinds import KINDS, Kind
from exports.models import ExportTask
from exports.offers import Offer, offers
from exports.progress import describe

register = template.Library()


def _news_of(pk: int) -> QuerySet[Notification]:
    """The last there was of each kind."""
    return Notification.objects.filter(user=pk, name__startswith="export:").order_by("-updated_at")[
        : len(KINDS)
    ]


_news = CompiledQuery(_news_of, PK_PLACEHOLDER)
_bars = CompiledQuery(
    lambda pk: ExportTask.objects.in_progress().filter(owner=pk).order_by("created_at"), PK_PLACEHOLDER
)


@register.filter
def kind(task: ExportTask) -> Kind:
    """How its kind is spoken of."""
    return KINDS[task.kind]


@register.filter
def may_ask_again(offers: dict[str, Offer], task: ExportTask) -> bool:
    return offers[task.kind].is_open


@register.filter
def progress(task: ExportTask) -> dict[str, Any]:
    """What `describe` says of a task."""
    return describe(task.told() if task.is_unfinished else task.facts())


@register.inclusion_tag("exports/_bars.html", takes_context=True)
def export_bars(context: RequestContext) -> dict[str, Any]:
    """A bar for each export that is not over, and word of failures that have not been seen."""
    user: User = context["request"].user
    news = list(_news(user.pk))
    last_words = [describe(item.payload)["toast"] for item in news if item.read_at is None]
    return {
        "bars": [progress(task) for task in _bars(user.pk)],
        "opened_at": getattr(user, "loaded_at", None),
        "since": news[0].updated_at if news else None,
        "failures": [toast for toast in last_words if toast and toast["level"] != "success"],
    }


@register.inclusion_tag("exports/_request.html", takes_context=True)
def export_request(context: RequestContext, user: User, kind: str) -> dict[str, Any]:
    """The button that asks for an archive, or how far the one under way is."""
    return {"csrf_token": context.get("csrf_token"), "offer": offers(user)[kind]}
