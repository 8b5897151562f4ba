"""Times and durations, as users read them in their language and time zone, and as ISO 8601."""

from datetime import UTC, datetime, timedelta

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone
from django.utils.formats import date_format, localize
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def relative_time(moment: datetime) -> str:
    """Return "3 minutes ago" during the first day, then the date."""
    if timezone.now() - moment < timedelta(days=1):
        return str(naturaltime(moment))
    return date_format(timezone.localtime(moment), "DATE_FORMAT")


def exact_time(moment: datetime) -> str:
    """Return date, time to the minute, and name of the time zone."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"


def time_tag(moment: datetime) -> SafeString:
    iso = timezone.localtime(moment).isoformat()
    title, label = exact_time(moment), relative_time(moment)
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, title, label)


def isoformat_utc(moment: datetime) -> str:
    """Format as `datetime.isoformat()` does, in UTC, with "Z" instead of "+00:00"."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def duration(span: timedelta) -> str:
    """Return "0.4 seconds", "12 seconds" or "3 min 20 s"."""
    seconds = span.total_seconds()
    if seconds < 60:
        rounded = round(seconds, 1) if seconds < 10 else round(seconds)
        text = ngettext("%(count)s second", "%(count)s seconds", 1 if rounded == 1 else 2)
        return text % {"count": localize(rounded)}
    minutes, rest = divmod(round(seconds), 60)
    return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
