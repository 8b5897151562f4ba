from typing import Any

from django.http import Http404
from django.utils.translation import gettext_noop as _

from api.router import Router
from api.schemas import Before, FollowPage, PersonDetailOut, PostPage, problem_responses
from blog.models import User
from blog.pagination import paginate
from microblog.http import AuthenticatedRequest

router = Router(tags=[_("People")])


@router.get(
    "/people/{username:username}/",
    summary=_("Get a person's profile"),
    response={200: PersonDetailOut, **problem_responses(404)},
)
def person_detail(request: AuthenticatedRequest, username: str) -> PersonDetailOut:
    return PersonDetailOut.from_profile(_get_person_or_404(request, username))


@router.get(
    "/people/{username:username}/posts/",
    summary=_("A person's posts, newest first"),
    response={200: PostPage, **problem_responses(404, 422)},
)
def person_posts(request: AuthenticatedRequest, username: str, before: Before = None) -> PostPage:
    person = _get_person_or_404(request, username)
    posts = person.posts.visible_to(request.user).select_related("author")
    return PostPage.from_page(request, paginate(posts, before))


@router.get(
    "/people/{username:username}/followers/",
    summary=_("A person's followers, newest first"),
    response={200: FollowPage, **problem_responses(404, 422)},
)
def person_followers(
    request: AuthenticatedRequest, username: str, before: Before = None
) -> FollowPage:
    person = _get_person_or_404(request, username)
    follows = person.followers.followers_visible_to(request.user)
    return FollowPage.of_followers(request, paginate(follows, before))


@router.get(
    "/people/{username:username}/following/",
    summary=_("People a person follows, newest first"),
    response={200: FollowPage, **problem_responses(404, 422)},
)
def person_following(
    request: AuthenticatedRequest, username: str, before: Before = None
) -> FollowPage:
    person = _get_person_or_404(request, username)
    follows = person.following.followed_visible_to(request.user)
    return FollowPage.of_followed(request, paginate(follows, before))


def _get_person_or_404(request: AuthenticatedRequest, username: str) -> Any:
    """Return the person, annotated as for their page; none across a block or a closed account."""
    person = User.objects.find_profile(request.user, username)
    if person is None:
        raise Http404
    return person
