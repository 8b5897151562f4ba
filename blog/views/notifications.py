"""What people are told."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from .. import badges, notifications
from ..http import AuthenticatedRequest, is_fragment_request
from ..models import Notification
from ..pagination import paginate

# A row may be stamped before, and committed after, a row that the browser has already seen.
OVERLAP = timedelta(seconds=2)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@require_safe
@login_required
@cache_control(no_store=True)
def notification_list(request: AuthenticatedRequest) -> HttpResponse:
    """All the news, what is unread marked. Looking at it changes nothing: the page's script or a button says "read"."""
    rows = request.user.notifications.news().visible_to(request.user).select_related("actor")
    page = paginate(rows, request.GET.get("before"), order_by="updated_at")
    news = [
        (row, notifications.render(row.name, row.payload)["toast"])
        for row in page.items
        if _is_known(row)
    ]
    has_unread = bool(badges.unread(request.user)["notifications"]) or any(
        not row.read_at for row in page.items
    )
    context = {"page": page, "news": [item for item in news if item[1]], "has_unread": has_unread}
    return render(request, "blog/notification_list.html", context)


@require_POST
@login_required(redirect_field_name=None)
def notification_read(request: AuthenticatedRequest) -> HttpResponse:
    """Count as read what there was `until` the page was asked for: nobody has seen what came later."""
    try:
        until = _moment(request.POST.get("until", ""))
    except (ValueError, OverflowError) as error:
        raise Http404("bad moment") from error
    request.user.notifications.news().filter(updated_at__lte=until).mark_read()
    return HttpResponse(status=204) if is_fragment_request(request) else redirect("notification-list")


@require_safe
@cache_control(no_store=True)
def notification_poll(request: HttpRequest) -> JsonResponse:
    """What the person was told since `?since=`, as JSON; the `since` of the answer belongs into the next question.

    With it how many messages and notifications are unread, for the badges.
    """
    if not request.user.is_authenticated:
        return JsonResponse({"error": _("Please sign in.")}, status=401)
    try:
        since = _moment(request.GET.get("since", ""))
    except (ValueError, OverflowError):
        message = _("“since” must be a time with its zone, such as 2026-11-23T10:00:00Z.")
        return JsonResponse({"error": message}, status=400)
    told = Notification.objects.told(request.user, since - OVERLAP)
    return JsonResponse(
        {
            "since": _iso(max([since, *(row.updated_at for row in told)])),
            "unread": badges.unread(request.user),
            "notifications": [_as_json(row) for row in told if _is_known(row)],
        }
    )


def _is_known(row: Notification) -> bool:
    return notifications.is_registered(row.name)


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
