"""Profiles, and who follows whom."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from .. import avatars, deeds, drafts
from ..forms import ProfileForm
from ..http import AuthenticatedRequest, next_url, is_fragment_request
from ..models import Block, Follow, User, unblocked
from ..pagination import Page, paginate
from ..rate_limits import limited
from .posts import page_of


@require_safe
def profile(request: HttpRequest, username: str) -> HttpResponse:
    person = User.objects.shown(request.user, username)
    if person is None:
        return _blocked(request, username)
    if person.username != username:
        return redirect(person)
    page = page_of(request, person.posts.visible_to(request.user))
    return render(request, "blog/profile.html", {"person": person, "page": page})


def _blocked(request: HttpRequest, username: str) -> HttpResponse:
    """The name and the way back, for whoever blocked the person; Http404 for everyone else."""
    mine = Block.objects.filter(blocker=request.user.pk, blocked__is_active=True).select_related(
        "blocked"
    )
    block = get_object_or_404(mine, blocked__username__lower=username.lower())
    return render(request, "blog/block_detail.html", {"person": block.blocked})


def _person(request: HttpRequest, username: str) -> User:
    """The person of that name, with what a profile says of them; Http404 if there is none."""
    person = User.objects.shown(request.user, username)
    if person is None:
        raise Http404
    return person


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.login_required_with_draft("about_me", "language", "time_zone", leads_back=True)
def profile_edit(request: AuthenticatedRequest) -> HttpResponse:
    # A copy, because the page's header names the person as they are.
    person = User.objects.get(pk=request.user.pk)
    if request.method != "POST":
        form = ProfileForm(instance=person, initial=drafts.pop(request, request.path))
        return render(request, "blog/profile_edit.html", {"form": form})
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
    return render(request, "blog/_hover_card.html", {"person": _person(request, username)})


@require_safe
def follower_list(request: HttpRequest, username: str) -> HttpResponse:
    person = _person(request, username)
    page = paginate(
        _visible(request, person.followers.select_related("follower"), "follower"),
        request.GET.get("before"),
    )
    return _people(
        request, person, page, [row.follower for row in page.items], "blog/follower_list.html"
    )


@require_safe
def following_list(request: HttpRequest, username: str) -> HttpResponse:
    person = _person(request, username)
    page = paginate(
        _visible(request, person.following.select_related("followed"), "followed"),
        request.GET.get("before"),
    )
    return _people(
        request, person, page, [row.followed for row in page.items], "blog/following_list.html"
    )


def _visible(request: HttpRequest, follows: QuerySet[Follow], person: str) -> QuerySet[Follow]:
    return follows.filter(unblocked(request.user, person), **{f"{person}__is_active": True})


def _people(
    request: HttpRequest, person: User, page: Page[Follow], people: list[User], template: str
) -> HttpResponse:
    followed: set[int] = set()
    if request.user.is_authenticated:
        rows = request.user.following.filter(followed__in=people)
        followed.update(rows.values_list("followed_id", flat=True))
    shown = [(other, other.pk in followed) for other in people]
    return render(request, template, {"person": person, "page": page, "people": shown})


@require_POST
@limited("follow")
def follow_create(request: HttpRequest, username: str) -> HttpResponse:
    return _set_follow(request, username, deeds.follow)


@require_POST
@limited("follow")
def follow_delete(request: HttpRequest, username: str) -> HttpResponse:
    return _set_follow(request, username, deeds.unfollow)


def _set_follow(
    request: HttpRequest, username: str, change: Callable[[User, User], object]
) -> HttpResponse:
    """Both ways can be repeated; the answer is the page that the button was on, or the button's new state."""
    if not request.user.is_authenticated:
        return redirect_to_login(reverse("profile", args=[username]))
    person = get_object_or_404(
        User.objects.visible_to(request.user).exclude(pk=request.user.pk),
        username__lower=username.lower(),
    )
    change(request.user, person)
    if is_fragment_request(request):
        return render(request, "blog/_profile_stats.html", {"person": _person(request, username)})
    return redirect(next_url(request, person.get_absolute_url()))


@require_safe
@cache_control(public=True, max_age=31_536_000, immutable=True)
def avatar(request: HttpRequest, username: str) -> HttpResponse:
    """Says nothing of whether there is such a person, and asks no database."""
    return HttpResponse(avatars.draw(username), content_type="image/svg+xml")
