"""List of notifications, and polling for new ones."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from microblog.http import AuthenticatedRequest, is_fragment_request

from .. import notifications
from ..models import Notification
from ..pagination import EPOCH, paginate

# A row may be committed after the browser has polled, with a timestamp from before.
POLL_OVERLAP = timedelta(seconds=2)


@require_safe
@login_required
@cache_control(no_store=True)
def notification_list(request: AuthenticatedRequest) -> HttpResponse:
    # Viewing marks nothing as read: the page's script or button does, with a POST.
    rows = request.user.notifications.listed().visible_to(request.user).select_related("actor")
    page = paginate(rows, request.GET.get("before"), order_by="updated_at")
    toasts = [
        (row, notifications.render(row.name, row.payload)["toast"])
        for row in page.items
        if _is_known(row)
    ]
    has_unread = bool(notifications.unread_counts(request.user)["notifications"]) or any(
        not row.read_at for row in page.items
    )
    context = {
        "page": page,
        "notifications": [(row, toast) for row, toast in toasts if toast],
        "has_unread": has_unread,
    }
    return render(request, "blog/notification_list.html", context)


@require_POST
@login_required(redirect_field_name=None)
def notification_read(request: AuthenticatedRequest) -> HttpResponse:
    """Mark as read the notifications up to `until`, when the page was requested.

    Later notifications were not on the page, so they stay unread.
    """
    try:
        until = _parse_moment(request.POST.get("until", ""))
    except (ValueError, OverflowError) as error:
        raise Http404("invalid time") from error
    request.user.notifications.listed().filter(updated_at__lte=until).mark_read()
    return (
        HttpResponse(status=204) if is_fragment_request(request) else redirect("notification-list")
    )


@require_safe
@cache_control(no_store=True)
def notification_poll(request: HttpRequest) -> JsonResponse:
    """Return as JSON the notifications changed since `?since=`, and the unread counts.

    The client sends the `since` of the response with its next request.
    """
    if not request.user.is_authenticated:
        return JsonResponse({"error": _("Please sign in.")}, status=401)
    try:
        since = _parse_moment(request.GET.get("since", ""))
    except (ValueError, OverflowError):
        message = _("“since” must be a time with its zone, such as 2026-11-23T10:00:00Z.")
        return JsonResponse({"error": message}, status=400)
    rows = Notification.objects.changed_since(request.user, since - POLL_OVERLAP)
    return JsonResponse(
        {
            "since": _format_moment(max([since, *(row.updated_at for row in rows)])),
            "unread": notifications.unread_counts(request.user),
            "notifications": [_as_json(row) for row in rows if _is_known(row)],
        }
    )


def _is_known(row: Notification) -> bool:
    return notifications.is_registered(row.name)


def _parse_moment(text: str) -> datetime:
    """Parse an ISO 8601 time with a time zone; "" means the epoch.

    Raises ValueError or OverflowError.
    """
    moment = datetime.fromisoformat(text) if text else EPOCH
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return max(moment.astimezone(UTC), EPOCH)


def _format_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _as_json(row: Notification) -> dict[str, Any]:
    return {
        "name": row.name,
        "read": row.read_at is not None,
        "updated_at": _format_moment(row.updated_at),
        "data": notifications.render(row.name, row.payload),
    }
