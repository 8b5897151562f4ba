from django.shortcuts import get_object_or_404
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from ninja.responses import Status

from api.auth import enforce_rate_limit
from api.problems import ApiError
from api.router import Router
from api.schemas import Before, FollowPage, PersonOut, problem_responses
from blog.models import Follow, User
from blog.pagination import paginate
from microblog.http import AuthenticatedRequest

router = Router(tags=[_("Following")])


@router.get(
    "/following/",
    summary=_("People you follow, newest first"),
    response={200: FollowPage, **problem_responses(422)},
)
def following_list(request: AuthenticatedRequest, before: Before = None) -> FollowPage:
    follows = request.user.following.followed_visible_to(request.user)
    return FollowPage.of_followed(request, paginate(follows, before))


@router.put(
    "/following/{username:username}/",
    summary=_("Follow someone (idempotent)"),
    response={200: PersonOut, **problem_responses(403, 404, 422)},
)
def follow_create(request: AuthenticatedRequest, username: str) -> PersonOut:
    user = _get_followable_user(request, username)
    Follow.objects.follow(request.user, user)
    return PersonOut.from_user(user)


@router.delete(
    "/following/{username:username}/",
    summary=_("Unfollow someone (idempotent)"),
    response={204: None, **problem_responses(403, 404, 422)},
)
def follow_delete(request: AuthenticatedRequest, username: str) -> Status[None]:
    Follow.objects.unfollow(request.user, _get_followable_user(request, username))
    return Status(204, None)


def _get_followable_user(request: AuthenticatedRequest, username: str) -> User:
    """Return a user the requester may follow, and count the request as on the pages."""
    enforce_rate_limit(request, "follow")
    if username.lower() == request.user.username.lower():
        raise ApiError(422, gettext("You can't follow yourself."))
    return get_object_or_404(
        User.objects.visible_to(request.user), username__lower=username.lower()
    )
