"""Profiles, followers, and following."""

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

from microblog.http import AuthenticatedRequest, is_fragment_request, safe_next_url

from .. import avatars, drafts
from ..forms import ProfileForm
from ..models import Block, Follow, User, unblocked
from ..pagination import Page, paginate
from ..rate_limits import rate_limited
from .posts import paginate_posts


@require_safe
def profile(request: HttpRequest, username: str) -> HttpResponse:
    person = User.objects.find_profile(request.user, username)
    if person is None:
        return _blocked_profile(request, username)
    if person.username != username:
        return redirect(person)
    page = paginate_posts(request, person.posts.visible_to(request.user))
    return render(request, "blog/profile.html", {"person": person, "page": page})


def _blocked_profile(request: HttpRequest, username: str) -> HttpResponse:
    """Let the reader unblock a user whom they have blocked; raise Http404 for any other."""
    blocks = Block.objects.filter(blocker=request.user.pk, blocked__is_active=True)
    block = get_object_or_404(
        blocks.select_related("blocked"), blocked__username__lower=username.lower()
    )
    return render(request, "blog/block_detail.html", {"person": block.blocked})


def _get_profile_or_404(request: HttpRequest, username: str) -> User:
    person = User.objects.find_profile(request.user, username)
    if person is None:
        raise Http404
    return person


@require_http_methods(["GET", "HEAD", "POST"])
@drafts.login_required_with_draft("about_me", "language", "time_zone", redirect_back=True)
def profile_edit(request: AuthenticatedRequest) -> HttpResponse:
    # A copy: an invalid form changes its instance, and the header shows `request.user`.
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
def hover_card(request: HttpRequest, username: str) -> HttpResponse:
    return render(
        request, "blog/_hover_card.html", {"person": _get_profile_or_404(request, username)}
    )


@require_safe
def follower_list(request: HttpRequest, username: str) -> HttpResponse:
    person = _get_profile_or_404(request, username)
    follows = _visible_follows(request, person.followers.select_related("follower"), "follower")
    page = paginate(follows, request.GET.get("before"))
    followers = [follow.follower for follow in page.items]
    return _render_user_list(request, person, page, followers, "blog/follower_list.html")


@require_safe
def following_list(request: HttpRequest, username: str) -> HttpResponse:
    person = _get_profile_or_404(request, username)
    follows = _visible_follows(request, person.following.select_related("followed"), "followed")
    page = paginate(follows, request.GET.get("before"))
    followed = [follow.followed for follow in page.items]
    return _render_user_list(request, person, page, followed, "blog/following_list.html")


def _visible_follows(
    request: HttpRequest, follows: QuerySet[Follow], user_field: str
) -> QuerySet[Follow]:
    return follows.filter(unblocked(request.user, user_field), **{f"{user_field}__is_active": True})


def _render_user_list(
    request: HttpRequest, person: User, page: Page[Follow], users: list[User], template: str
) -> HttpResponse:
    followed: set[int] = set()
    if request.user.is_authenticated:
        follows = request.user.following.filter(followed__in=users)
        followed.update(follows.values_list("followed_id", flat=True))
    context = {
        "person": person,
        "page": page,
        "people": [(user, user.pk in followed) for user in users],
    }
    return render(request, template, context)


@require_POST
@rate_limited("follow")
def follow_create(request: HttpRequest, username: str) -> HttpResponse:
    return _change_follow(request, username, Follow.objects.follow)


@require_POST
@rate_limited("follow")
def follow_delete(request: HttpRequest, username: str) -> HttpResponse:
    return _change_follow(request, username, Follow.objects.unfollow)


def _change_follow(
    request: HttpRequest, username: str, change: Callable[[User, User], object]
) -> HttpResponse:
    """Follow or unfollow; both are idempotent. Return to the page, or render the new button."""
    if not request.user.is_authenticated:
        return redirect_to_login(reverse("profile", args=[username]))
    others = User.objects.visible_to(request.user).exclude(pk=request.user.pk)
    person = get_object_or_404(others, username__lower=username.lower())
    change(request.user, person)
    if is_fragment_request(request):
        context = {"person": _get_profile_or_404(request, username)}
        return render(request, "blog/_profile_stats.html", context)
    return redirect(safe_next_url(request, person.get_absolute_url()))


@require_safe
@cache_control(public=True, max_age=31_536_000, immutable=True)
def avatar(request: HttpRequest, username: str) -> HttpResponse:
    """Draw the avatar from the username alone, for names without an account too.

    A lookup would reveal which usernames exist (enumeration).
    """
    return HttpResponse(avatars.draw(username), content_type="image/svg+xml")
