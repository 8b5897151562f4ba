"""How people, times and numbers look on a page."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Model
from django.template import Context, RequestContext
from django.utils import timezone
from django.utils.formats import date_format, localize
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from blog import badges
from blog.mentions import with_links
from blog.paging import cursor_of
from blog.paths import path_to
from blog.search import Question

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
    return cursor_of(row)


@register.inclusion_tag("blog/_badge.html", takes_context=True)
def unread_badge(context: RequestContext, name: str) -> dict[str, Any]:
    """How much of that kind the person has not read; notifications.js keeps it up to date."""
    count = badges.unread(context["request"].user)[name]
    return {"name": name, "count": count, "shown": "99+" if count > 99 else count}


@register.filter
def when(moment: datetime) -> str:
    """ "3 minutes ago" during the first day, the date after it."""
    if timezone.now() - moment < timedelta(days=1):
        return str(naturaltime(moment))
    return date_format(timezone.localtime(moment), "DATE_FORMAT")


@register.filter
def exact(moment: datetime) -> str:
    """Date and time to the minute, with the zone that they are in."""
    return f"{date_format(timezone.localtime(moment), 'DATETIME_FORMAT')} {timezone.localtime(moment):%Z}"


@register.filter
def time_taken(span: timedelta) -> str:
    """ "0.4 seconds", "12 seconds" or "3 min 20 s"."""
    seconds = span.total_seconds()
    if seconds < 60:
        shown = round(seconds, 1) if seconds < 10 else round(seconds)
        return ngettext("%(count)s second", "%(count)s seconds", 1 if shown == 1 else 2) % {"count": localize(shown)}
    minutes, rest = divmod(round(seconds), 60)
    return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
