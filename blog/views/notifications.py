"""What people are told."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from .. import badges, notifications
from ..models import Notification

# A row may be stamped before, and committed after, a row that the browser has already seen.
OVERLAP = timedelta(seconds=2)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@require_safe
@cache_control(no_store=True)
def notification_list(request: HttpRequest) -> JsonResponse:
    """What badges say, and what the person was told since `?since=`, as JSON.

    The `since` of the answer belongs into the next question.
    """
    if not request.user.is_authenticated:
        return JsonResponse({"error": _("Please sign in.")}, status=401)
    try:
        since = _moment(request.GET.get("since", ""))
    except (ValueError, OverflowError):
        message = _("“since” must be a time with its zone, such as 2026-11-23T10:00:00Z.")
        return JsonResponse({"error": message}, status=400)
    told = list(request.user.notifications.filter(updated_at__gte=since - OVERLAP).order_by("updated_at"))
    newest = max([since, *(row.updated_at for row in told)])
    known = [row for row in told if notifications.is_registered(row.name)]
    return JsonResponse(
        {
            "since": _iso(newest),
            "unread": badges.unread(request.user),
            "notifications": [_as_json(row) for row in known],
        }
    )


def _moment(text: str) -> datetime:
    """ISO 8601 with a zone, or nothing for the beginning; ValueError or OverflowError where it is neither."""
    moment = datetime.fromisoformat(text) if text else BEGINNING
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return max(moment.astimezone(UTC), BEGINNING)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _as_json(row: Notification) -> dict[str, Any]:
    return {
        "name": row.name,
        "read": row.read_at is not None,
        "updated_at": _iso(row.updated_at),
        "data": notifications.render(row.name, row.payload),
    }
