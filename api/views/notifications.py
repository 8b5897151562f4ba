from django.utils.translation import gettext_noop as _
from ninja.responses import Status

from api.problems import require_valid
from api.router import Router
from api.schemas import (
    Before,
    NotificationOut,
    NotificationPage,
    NotificationReadIn,
    next_page_url,
    problem_responses,
)
from blog import notifications
from blog.pagination import paginate
from microblog.http import AuthenticatedRequest

router = Router(tags=[_("Notifications")])


@router.get(
    "/notifications/",
    summary=_("Your notifications, newest first"),
    response={200: NotificationPage, **problem_responses(422)},
)
def notification_list(request: AuthenticatedRequest, before: Before = None) -> NotificationPage:
    rows = request.user.notifications.listed().visible_to(request.user).select_related("actor")
    page = paginate(rows, before, order_by="updated_at")
    known = [row for row in page.items if notifications.is_registered(row.name)]
    toasts = [(row, notifications.render(row.name, row.payload)["toast"]) for row in known]
    return NotificationPage(
        unread=notifications.unread_counts(request.user)["notifications"],
        items=[NotificationOut.from_notification(row, toast) for row, toast in toasts if toast],
        older=next_page_url(request, page),
    )


@router.post(
    "/notifications/read/",
    summary=_("Mark notifications as read up to a point in time"),
    response={204: None, **problem_responses(400, 403, 422)},
)
def notification_read(request: AuthenticatedRequest, data: NotificationReadIn) -> Status[None]:
    require_valid(data)
    request.user.notifications.listed().filter(updated_at__lte=data.until).mark_read()
    return Status(204, None)
