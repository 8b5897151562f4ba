"""Search for posts and users."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .. import rate_limits
from ..linkify import attach_mentions
from ..models import Post, User
from ..pagination import PAGE_SIZE
from ..search.query import SearchQuery, SearchResult

PEOPLE = "people"


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Show 20 results from offset `?from=`: posts, or users with `?in=people`."""
    text, is_people = request.GET.get("q", "").strip(), request.GET.get("in") == PEOPLE
    query = SearchQuery(text)
    start = _parse_start(request)
    context = {"text": text, "query": query, "is_people": is_people, "start": start}
    if not query:
        return render(request, "blog/search.html", context)
    if seconds := rate_limits.consume(request, "search"):
        context["error"] = rate_limits.error_message(seconds)
        response = render(request, "blog/search.html", context, status=429)
        return rate_limits.with_retry_after(response, seconds)
    find = _find_users if is_people else _find_posts
    return render(request, "blog/search.html", context | find(request, query, start))


def _find_posts(request: HttpRequest, query: SearchQuery, start: int) -> dict[str, object]:
    result = query.posts(Post.objects.suggested_to(request.user))
    keys = result.keys[start : start + PAGE_SIZE]
    rows = Post.objects.with_author(request.user).in_bulk(keys)
    posts = [rows[key] for key in keys if key in rows]
    attach_mentions(posts, request.user)
    return {"posts": posts, **_result_context(result, start)}


def _find_users(request: HttpRequest, query: SearchQuery, start: int) -> dict[str, object]:
    result = query.users(User.objects.visible_to(request.user))
    keys = result.keys[start : start + PAGE_SIZE]
    rows = User.objects.with_profile(request.user).in_bulk(keys)
    users = [rows[key] for key in keys if key in rows]
    return {"people": users, **_result_context(result, start)}


def _result_context(result: SearchResult, start: int) -> dict[str, object]:
    next_start = start + PAGE_SIZE
    return {
        "count": len(result.keys),
        "has_more": result.has_more,
        "next_start": next_start if next_start < len(result.keys) else None,
    }


def _parse_start(request: HttpRequest) -> int:
    start = request.GET.get("from", "0")
    if not (start.isascii() and start.isdecimal() and len(start) < 4):
        raise Http404("invalid offset")
    return int(start)
