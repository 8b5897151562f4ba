"""Template tags and filters for user text, times, cursors and unread counts."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.db.models import Model
from django.template import Context, RequestContext
from django.utils.html import escape
from django.utils.safestring import SafeString

from blog import formatting
from blog.linkify import linkify
from blog.models import User
from blog.notifications import unread_counts
from blog.pagination import format_cursor
from blog.search.query import SearchQuery

MAX_BADGE_COUNT = 99
# Longer texts are folded in lists. The style sheet shows MAX_LINES of them.
MAX_LINES = 10
MAX_UNFOLDED_LENGTH = 1_000

register = template.Library()
register.simple_tag(formatting.time_tag)
register.filter(formatting.relative_time)
register.filter(formatting.exact_time)
register.filter(formatting.duration)


@register.simple_tag(takes_context=True)
def user_text(
    context: Context, text: str, usernames: Mapping[str, str] | None = None
) -> SafeString:
    """Return user text as escaped HTML with links, and with the words of a search highlighted."""
    query: SearchQuery | None = context.get("query")
    return linkify(text, usernames or {}, render=query.highlight if query else escape)


@register.filter
def is_foldable(text: str) -> bool:
    return text.count("\n") >= MAX_LINES or len(text) > MAX_UNFOLDED_LENGTH


@register.simple_tag
def people_to_follow(user: User) -> list[User]:
    return list(User.objects.to_follow(user))


@register.filter
def cursor(row: Model) -> str:
    return format_cursor(row)


@register.inclusion_tag("blog/_unread_badge.html", takes_context=True)
def unread_badge(context: RequestContext, name: str) -> dict[str, Any]:
    """Show the number of unread "messages" or "notifications", which notifications.js updates."""
    count = unread_counts(context["request"].user)[name]
    label = f"{MAX_BADGE_COUNT}+" if count > MAX_BADGE_COUNT else count
    return {"name": name, "count": count, "label": label}
