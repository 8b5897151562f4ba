"""Progress of a task in figures and words, for its owner and for staff."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .models import Status

MAX_PERCENT = 99  # the bar is complete only once the mail is sent, when it disappears


def percent(status: str, rows_done: int, rows_total: int) -> int:
    if status == Status.SUCCESSFUL:
        return MAX_PERCENT
    return min(MAX_PERCENT, 100 * rows_done // rows_total) if rows_total else 0


def render_minutes(minimum: int, maximum: int) -> str:
    if minimum < 1 and maximum <= 1:
        return _("less than a minute")
    if minimum < 1:
        return ngettext("at most %(n)d minute", "at most %(n)d minutes", maximum) % {"n": maximum}
    if minimum == maximum:
        return ngettext("about %(n)d minute", "about %(n)d minutes", maximum) % {"n": maximum}
    return _("about %(least)d to %(most)d minutes") % {"least": minimum, "most": maximum}
