"""List of notifications, and polling for new ones."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from microblog.http import AuthenticatedRequest, is_fragment_request

from .. import notifications, rate_limits
from ..formatting import isoformat_utc
from ..models import Notification, User
from ..pagination import EPOCH, paginate

# A row may be committed after the browser has polled, with a timestamp from before.
POLL_OVERLAP = timedelta(seconds=2)
MAX_AVATARS = 5  # of one group


@dataclass(frozen=True)
class NotificationGroup:
    """Line of the list: one notification, or new followers that came one after the other."""

    rows: list[Notification]
    toast: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.rows[0].name.partition(":")[0]

    @property
    def is_unread(self) -> bool:
        return any(row.read_at is None for row in self.rows)

    @property
    def actors(self) -> list[User]:
        return [row.actor for row in self.rows if row.actor][:MAX_AVATARS]

    @property
    def text(self) -> str:
        if len(self.rows) == 1:
            return str(self.toast["text"])
        count = len(self.rows) - 1
        text = ngettext(
            "%(name)s and %(count)d other follow you now",
            "%(name)s and %(count)d others follow you now",
            count,
        )
        return text % {"name": self.rows[0].payload["name"], "count": count}

    @property
    def url(self) -> str:
        if len(self.rows) == 1:
            return str(self.toast["url"])
        return reverse("follower-list", args=[self.rows[0].user.username])


@require_safe
@login_required
@cache_control(no_store=True)
def notification_list(request: AuthenticatedRequest) -> HttpResponse:
    # Viewing marks nothing as read: the page's script or button does, with a POST.
    rows = request.user.notifications.listed().visible_to(request.user)
    rows = rows.select_related("actor", "post")
    page = paginate(rows, request.GET.get("before"), order_by="updated_at")
    has_unread = bool(notifications.unread_counts(request.user)["notifications"]) or any(
        not row.read_at for row in page.items
    )
    context = {
        "page": page,
        "groups": _group(page.items),
        "has_unread": has_unread,
    }
    return render(request, "blog/notification_list.html", context)


def _group(rows: list[Notification]) -> list[NotificationGroup]:
    """Put followers that came one after the other into one group, all read or all unread."""
    shown = [
        (row, toast)
        for row in rows
        if _is_known(row) and (toast := notifications.render(row.name, row.payload)["toast"])
    ]
    groups = []
    for _key, members in groupby(shown, key=lambda item: _group_key(item[0])):
        group_rows, toasts = zip(*members, strict=True)
        groups.append(NotificationGroup(list(group_rows), toasts[0]))
    return groups


def _group_key(row: Notification) -> tuple[object, ...]:
    is_follow = row.name.startswith("follow:")
    return ("follow", row.read_at is None) if is_follow else (row.pk,)


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
def notification_poll(request: HttpRequest) -> HttpResponse:
    """Return as JSON the newest notifications changed since `?since=`, and the unread counts.

    The client sends the `since` of the response with its next request. Of very many changes it
    learns the newest ones; the others are in the list of notifications.
    """
    if not request.user.is_authenticated:
        return JsonResponse({"error": _("Please sign in.")}, status=401)
    if seconds := rate_limits.consume(request, "poll"):
        response = JsonResponse({"error": rate_limits.error_message(seconds)}, status=429)
        return rate_limits.with_retry_after(response, seconds)
    try:
        since = _parse_moment(request.GET.get("since", ""))
    except (ValueError, OverflowError):
        message = _("“since” must be a time with its zone, such as 2026-11-23T10:00:00Z.")
        return JsonResponse({"error": message}, status=400)
    rows = Notification.objects.changed_since(request.user, since - POLL_OVERLAP)
    return JsonResponse(
        {
            "since": isoformat_utc(max([since, *(row.updated_at for row in rows)])),
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


def _as_json(row: Notification) -> dict[str, Any]:
    return {
        "name": row.name,
        "read": row.read_at is not None,
        "updated_at": isoformat_utc(row.updated_at),
        "data": notifications.render(row.name, row.payload),
    }
