"""Looking for posts and people."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .. import linkify
from .. import rate_limits
from ..models import Post, User
from ..pagination import PAGE_SIZE
from ..search.query import Found, Question

PEOPLE = "people"


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """The best posts or, with `?in=people`, people; twenty at a time, `?from=` the first of them."""
    text, is_people = request.GET.get("q", "").strip(), request.GET.get("in") == PEOPLE
    question = SearchQuery(text)
    start = _start(request)
    context = {"text": text, "question": question, "is_people": is_people, "start": start}
    if not question:
        return render(request, "blog/search.html", context)
    if seconds := rate_limits.consume(request, "search"):
        refused = context | {"error": rate_limits.error_message(seconds)}
        return rate_limits.with_retry_after(render(request, "blog/search.html", refused, status=429), seconds)
    find = _people if is_people else _posts
    return render(request, "blog/search.html", context | find(request, question, start))


def _posts(request: HttpRequest, question: Question, start: int) -> dict[str, object]:
    found = question.posts(Post.objects.offered_to(request.user))
    rows = Post.objects.described(request.user).in_bulk(found.keys[start : start + PAGE_SIZE])
    posts = [rows[key] for key in found.keys[start : start + PAGE_SIZE] if key in rows]
    linkify.attach_mentions(posts, request.user)
    return {"posts": posts, **_outcome(found, start)}


def _people(request: HttpRequest, question: Question, start: int) -> dict[str, object]:
    found = question.people(User.objects.visible_to(request.user))
    shown = User.objects.described(request.user).in_bulk(found.keys[start : start + PAGE_SIZE])
    people = [shown[key] for key in found.keys[start : start + PAGE_SIZE] if key in shown]
    return {"people": people, **_outcome(found, start)}


def _outcome(found: Found, start: int) -> dict[str, object]:
    following = start + PAGE_SIZE
    return {
        "count": len(found.keys),
        "has_more": found.has_more,
        "following": following if following < len(found.keys) else None,
    }


def _start(request: HttpRequest) -> int:
    start = request.GET.get("from", "0")
    if not (start.isascii() and start.isdecimal() and len(start) < 4):
        raise Http404("bad place")
    return int(start)
