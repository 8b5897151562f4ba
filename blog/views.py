"""The pages of the blog."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.i18n import set_language

from . import avatars, drafts, mentions, notifications
from .forms import PostEditForm, PostForm, ProfileForm
from .http import PersonRequest, next_url, wants_fragment
from .models import Follow, Notification, Post, User
from .paging import Page, first_page, paginate

# A row may be stamped before, and committed after, a row that the browser has already seen.
OVERLAP = timedelta(seconds=2)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
THEMES = ("system", "light", "dark")
YEAR = timedelta(days=365)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What oneself and the followed have written; to a visitor, what everyone has."""
    return _home(request, PostForm(initial=drafts.take(request, reverse("post-create"))))


def _home(request: HttpRequest, form: PostForm, status: int = 200) -> HttpResponse:
    before = request.GET.get("before")
    if request.user.is_authenticated:
        posts = Post.objects.followed_by(request.user, before).select_related("author")
        page = first_page(posts, before)
        mentions.attach(page.items)
    else:
        page = _page(Post.objects.all(), before)
    return render(request, "blog/home.html", {"page": page, "form": form}, status=status)


def _page(posts: QuerySet[Post], before: str | None) -> Page[Post]:
    page = paginate(posts.select_related("author"), before)
    mentions.attach(page.items)
    return page


@require_safe
def explore(request: HttpRequest) -> HttpResponse:
    """What everyone has written."""
    return render(request, "blog/explore.html", {"page": _page(Post.objects.all(), request.GET.get("before"))})


@require_POST
@drafts.keeps_draft(leads_back=False)
def post_create(request: PersonRequest) -> HttpResponse:
    form = PostForm(request.POST, instance=Post(author=request.user))
    if not form.is_valid():
        return _home(request, form, status=422)
    post = form.save()
    if wants_fragment(request):
        mentions.attach([post])
        return render(request, "blog/_post.html", {"post": post}, status=201)
    messages.success(request, _("Your post is out."))
    return redirect("home")


@require_safe
def post_detail(request: HttpRequest, pk: int) -> HttpResponse:
    post = get_object_or_404(Post.objects.select_related("author"), pk=pk)
    mentions.attach([post])
    return render(request, "blog/post_detail.html", {"post": post})


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.keeps_draft(leads_back=True)
def post_edit(request: PersonRequest, pk: int) -> HttpResponse:
    post = get_object_or_404(request.user.posts, pk=pk)
    if request.method != "POST":
        form = PostEditForm(instance=post, initial=drafts.take(request, request.path))
        return render(request, "blog/post_edit.html", {"post": post, "form": form})
    form = PostEditForm(request.POST, instance=post)
    if not form.is_valid():
        return render(request, "blog/post_edit.html", {"post": post, "form": form}, status=422)
    form.save()
    messages.success(request, _("Your post is changed."))
    return redirect(post)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def post_delete(request: PersonRequest, pk: int) -> HttpResponse:
    """Asks once; the answer is a POST."""
    post = get_object_or_404(request.user.posts.select_related("author"), pk=pk)
    if request.method == "POST":
        post.delete()
        messages.success(request, _("Your post is deleted."))
        return redirect(request.user)
    mentions.attach([post])
    return render(request, "blog/post_delete.html", {"post": post})


@require_safe
def profile(request: HttpRequest, username: str) -> HttpResponse:
    person = _person(request, username)
    if person.username != username:
        return redirect(person)
    page = _page(person.posts.all(), request.GET.get("before"))
    return render(request, "blog/profile.html", {"person": person, "page": page})


def _person(request: HttpRequest, username: str) -> User:
    """The person of that name, with what a profile says of them; Http404 if there is none."""
    return get_object_or_404(User.objects.described(request.user), username__lower=username.lower())


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile_edit(request: PersonRequest) -> HttpResponse:
    # A copy, because the page's header names the person as they are.
    person = User.objects.get(pk=request.user.pk)
    if request.method != "POST":
        return render(request, "blog/profile_edit.html", {"form": ProfileForm(instance=person)})
    form = ProfileForm(request.POST, instance=person)
    if not form.is_valid():
        return render(request, "blog/profile_edit.html", {"form": form}, status=422)
    form.save()
    with translation.override(person.language or None):
        messages.success(request, _("Your profile is changed."))
    return redirect(person)


@require_safe
def person_card(request: HttpRequest, username: str) -> HttpResponse:
    """What hovering over a name shows."""
    return render(request, "blog/_card.html", {"person": _person(request, username)})


@require_safe
def follower_list(request: HttpRequest, username: str) -> HttpResponse:
    person = _person(request, username)
    page = paginate(person.followers.select_related("follower"), request.GET.get("before"))
    return _people(request, person, page, [row.follower for row in page.items], "blog/follower_list.html")


@require_safe
def following_list(request: HttpRequest, username: str) -> HttpResponse:
    person = _person(request, username)
    page = paginate(person.following.select_related("followed"), request.GET.get("before"))
    return _people(request, person, page, [row.followed for row in page.items], "blog/following_list.html")


def _people(request: HttpRequest, person: User, page: Page[Follow], people: list[User], template: str) -> HttpResponse:
    followed: set[int] = set()
    if request.user.is_authenticated:
        rows = request.user.following.filter(followed__in=people)
        followed.update(rows.values_list("followed_id", flat=True))
    shown = [(other, other.pk in followed) for other in people]
    return render(request, template, {"person": person, "page": page, "people": shown})


@require_POST
def follow_create(request: HttpRequest, username: str) -> HttpResponse:
    return _set_follow(request, username, lambda user, person: user.following.get_or_create(followed=person))


@require_POST
def follow_delete(request: HttpRequest, username: str) -> HttpResponse:
    return _set_follow(request, username, lambda user, person: user.following.filter(followed=person).delete())


def _set_follow(request: HttpRequest, username: str, change: Callable[[User, User], object]) -> HttpResponse:
    """Both ways can be repeated; the answer is the page that the button was on, or the button's new state."""
    if not request.user.is_authenticated:
        return redirect_to_login(reverse("profile", args=[username]))
    person = get_object_or_404(User.objects.exclude(pk=request.user.pk), username__lower=username.lower())
    change(request.user, person)
    if wants_fragment(request):
        return render(request, "blog/_standing.html", {"person": _person(request, username)})
    return redirect(next_url(request, person.get_absolute_url()))


@require_safe
@cache_control(public=True, max_age=31_536_000, immutable=True)
def avatar(request: HttpRequest, username: str) -> HttpResponse:
    """Says nothing of whether there is such a person, and asks no database."""
    return HttpResponse(avatars.draw(username), content_type="image/svg+xml")


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Django's own `set_language`, which also remembers the choice of whoever is signed in."""
    code = request.POST.get("language")
    if request.user.is_authenticated and code in dict(settings.LANGUAGES):
        request.user.language = code
        request.user.save(update_fields=["language"])
    return set_language(request)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the choice in a cookie, out of which `base.html` takes it: no script, and no flash of the other one."""
    response = redirect(next_url(request, reverse("home")))
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        secure = settings.LANGUAGE_COOKIE_SECURE
        response.set_cookie("theme", chosen, max_age=YEAR, secure=secure, httponly=True, samesite="Lax")
    return response


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
