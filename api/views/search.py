from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from api.auth import enforce_rate_limit
from api.problems import ApiError
from api.router import Router
from api.schemas import (
    PersonOut,
    PersonSearchPage,
    PostOut,
    PostSearchPage,
    SearchStart,
    SearchText,
    problem_responses,
)
from blog.models import Post, User
from blog.pagination import PAGE_SIZE
from blog.search.query import SearchQuery
from microblog.http import AuthenticatedRequest

router = Router(tags=[_("Search")])


@router.get(
    "/search/posts/",
    summary=_("Search posts, best matches first"),
    response={200: PostSearchPage, **problem_responses(422)},
)
def search_posts(
    request: AuthenticatedRequest, text: SearchText, start: SearchStart = 0
) -> PostSearchPage:
    query = _require_query(request, text)
    result = query.posts(Post.objects.suggested_to(request.user))
    keys = result.keys[start : start + PAGE_SIZE]
    posts = Post.objects.select_related("author").in_bulk(keys)
    return PostSearchPage(
        count=len(result.keys),
        has_more=result.has_more,
        next=PostSearchPage.url_after(request, start, result),
        items=[PostOut.from_post(posts[key]) for key in keys if key in posts],
    )


@router.get(
    "/search/people/",
    summary=_("Search people by name and “about me”, best matches first"),
    response={200: PersonSearchPage, **problem_responses(422)},
)
def search_people(
    request: AuthenticatedRequest, text: SearchText, start: SearchStart = 0
) -> PersonSearchPage:
    query = _require_query(request, text)
    result = query.users(User.objects.visible_to(request.user))
    keys = result.keys[start : start + PAGE_SIZE]
    users = User.objects.in_bulk(keys)
    return PersonSearchPage(
        count=len(result.keys),
        has_more=result.has_more,
        next=PersonSearchPage.url_after(request, start, result),
        items=[PersonOut.from_user(users[key]) for key in keys if key in users],
    )


def _require_query(request: AuthenticatedRequest, text: str) -> SearchQuery:
    """Return the query, and count the request as on the pages."""
    query = SearchQuery(text)
    if not query:
        raise ApiError(422, errors=[("q", gettext("Enter at least one letter or digit."))])
    enforce_rate_limit(request, "search")
    return query
