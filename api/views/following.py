from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_noop as _
from ninja import Router
from ninja.responses import Status

from api.auth import enforce_rate_limit
from api.schemas import Before, FollowPage, PersonOut, problem_responses
from blog.models import Follow, User, unblocked
from blog.pagination import paginate
from microblog.http import AuthenticatedRequest

router = Router(tags=[_("Following")])


@router.get(
    "/following/",
    summary=_("Whom you follow, newest first"),
    response={200: FollowPage, **problem_responses(404)},
)
def following_list(request: AuthenticatedRequest, before: Before = None) -> FollowPage:
    follows = request.user.following.select_related("followed")
    visible = follows.filter(unblocked(request.user, "followed"), followed__is_active=True)
    return FollowPage.from_page(request, paginate(visible, before))


@router.put(
    "/following/{username:username}/",
    summary=_("Follow somebody; doing so again changes nothing"),
    response={200: PersonOut, **problem_responses(403, 404)},
)
def follow_create(request: AuthenticatedRequest, username: str) -> PersonOut:
    user = _get_followable_user(request, username)
    Follow.objects.follow(request.user, user)
    return PersonOut.from_user(user)


@router.delete(
    "/following/{username:username}/",
    summary=_("Follow somebody no more; doing so again changes nothing"),
    response={204: None, **problem_responses(403, 404)},
)
def follow_delete(request: AuthenticatedRequest, username: str) -> Status[None]:
    Follow.objects.unfollow(request.user, _get_followable_user(request, username))
    return Status(204, None)


def _get_followable_user(request: AuthenticatedRequest, username: str) -> User:
    """Return a user the requester may follow, and count the request as on the pages."""
    enforce_rate_limit(request, "follow")
    others = User.objects.visible_to(request.user).exclude(pk=request.user.pk)
    return get_object_or_404(others, username__lower=username.lower())
