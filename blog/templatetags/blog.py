"""How people, times and numbers look on a page."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Model
from django.template import Context, RequestContext
from django.utils import timezone
from django.utils.formats import date_format, localize
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from blog import badges
from blog.linkify import with_links
from blog.pagination import format_cursor
from blog.paths import path_to
from blog.search.query import SearchQuery

register = template.Library()
register.simple_tag(path_to)


@register.simple_tag(takes_context=True)
def written(context: Context, text: str, mentioned: Mapping[str, str] | None = None) -> SafeString:
    """What somebody wrote, escaped, with its links and, where it was searched for, the words that were found."""
    question: Question | None = context.get("question")
    return with_links(text, mentioned or {}, question.mark if question else escape)


@register.filter
def cursor(row: Model) -> str:
    """The row's place among all of its kind, as paging by key names it."""
    return format_cursor(row)


@register.inclusion_tag("blog/_unread_badge.html", takes_context=True)
def unread_badge(context: RequestContext, name: str) -> dict[str, Any]:
    """How much of that kind the person has not read; notifications.js keeps it up to date."""
    count = badges.unread(context["request"].user)[name]
    return {"name": name, "count": count, "shown": "99+" if count > 99 else count}


@register.filter
def when(moment: datetime) -> str:
    """ "3 minutes ago" during the first day, the date after it."""
    if timezone.now() - moment < timedelta(days=1):
        return str(naturaltime(moment))
    return _in_words(timezone.localtime(moment).date(), "DATE_FORMAT", get_language())


@register.filter
def exact_time(moment: datetime) -> str:
    """Date and time to the minute, with the zone that they are in."""
    local = timezone.localtime(moment)
    minute = local.replace(second=0, microsecond=0, tzinfo=None)
    return f"{_in_words(minute, 'DATETIME_FORMAT', get_language())} {local.tzname()}"


@lru_cache(maxsize=10_000)
def _in_words(day: date, style: str, _language: str | None) -> str:
    """`date_format`, once for each day or minute that posts of a page were written at."""
    return date_format(day, style)


@register.simple_tag
def moment(at: datetime) -> SafeString:
    """When it was, as `when` says it; pointing at it says it `exact`ly."""
    iso = timezone.localtime(at).isoformat()
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, exact_time(at), when(at))


@register.filter
def time_taken(span: timedelta) -> str:
    """ "0.4 seconds", "12 seconds" or "3 min 20 s"."""
    seconds = span.total_seconds()
    if seconds < 60:
        shown = round(seconds, 1) if seconds < 10 else round(seconds)
        return ngettext("%(count)s second", "%(count)s seconds", 1 if shown == 1 else 2) % {
            "count": localize(shown)
        }
    minutes, rest = divmod(round(seconds), 60)
    return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
