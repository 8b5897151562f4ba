"""The pages of the blog."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language

from . import notifications
from .forms import PostForm
from .http import PersonRequest
from .models import Notification, Post, User
from .paging import paginate

# A row may be stamped before, and committed after, a row that the browser has already seen.
OVERLAP = timedelta(seconds=2)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return _home(request, PostForm())


def _home(request: HttpRequest, form: PostForm, status: int = 200) -> HttpResponse:
    page = paginate(Post.objects.select_related("author"), request.GET.get("before"))
    return render(request, "blog/home.html", {"page": page, "form": form}, status=status)


@require_POST
@login_required(redirect_field_name=None)
def post_create(request: PersonRequest) -> HttpResponse:
    form = PostForm(request.POST, instance=Post(author=request.user))
    if not form.is_valid():
        return _home(request, form, status=422)
    form.save()
    messages.success(request, _("Your post is out."))
    return redirect("home")


@require_safe
def profile(request: HttpRequest, username: str) -> HttpResponse:
    person = get_object_or_404(User, username__lower=username.lower())
    if person.username != username:
        return redirect(person)
    page = paginate(person.posts.select_related("author"), request.GET.get("before"))
    return render(request, "blog/profile.html", {"person": person, "page": page})


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Django's own `set_language`, which also remembers the choice of whoever is signed in."""
    code = request.POST.get("language")
    if request.user.is_authenticated and code in dict(settings.LANGUAGES):
        request.user.language = code
        request.user.save(update_fields=["language"])
    return set_language(request)


@require_safe
@cache_control(no_store=True)
def notification_list(request: HttpRequest) -> JsonResponse:
    """What the person was told since `?since=`, as JSON; the `since` of the answer belongs into the next question."""
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
    return JsonResponse({"since": _iso(newest), "notifications": [_as_json(row) for row in known]})


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
