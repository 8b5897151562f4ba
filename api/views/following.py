from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_noop as _
from ninja import Router
from ninja.responses import Status

from api.auth import count
from api.schemas import Before, FollowPage, PersonOut, problems
from blog import deeds
from blog.http import AuthenticatedRequest
from blog.models import User, unblocked
from blog.pagination import paginate

router = Router(tags=[_("Following")])


@router.get(
    "/following/",
    summary=_("Whom you follow, newest first"),
    response={200: FollowPage, **problems(404)},
)
def following_list(request: AuthenticatedRequest, before: Before = None) -> FollowPage:
    follows = request.user.following.select_related("followed")
    seen = follows.filter(unblocked(request.user, "followed"), followed__is_active=True)
    return FollowPage.of(request, paginate(seen, before))


@router.put(
    "/following/{username:username}/",
    summary=_("Follow somebody; doing so again changes nothing"),
    response={200: PersonOut, **problems(403, 404)},
)
def follow_create(request: AuthenticatedRequest, username: str) -> PersonOut:
    person = _other(request, username)
    deeds.follow(request.user, person)
    return PersonOut.of(person)


@router.delete(
    "/following/{username:username}/",
    summary=_("Follow somebody no more; doing so again changes nothing"),
    response={204: None, **problems(403, 404)},
)
def follow_delete(request: AuthenticatedRequest, username: str) -> Status[None]:
    deeds.unfollow(request.user, _other(request, username))
    return Status(204, None)


def _other(request: AuthenticatedRequest, username: str) -> User:
    """Somebody who can be followed; counted, like the buttons of the pages."""
    count(request, "follow")
    others = User.objects.visible_to(request.user).exclude(pk=request.user.pk)
    return get_object_or_404(others, username__lower=username.lower())
