"""Public Atom feeds of the newest posts, of one user or of everyone; no reader is signed in."""

import re
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.xmlutils import SimplerXMLGenerator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_safe

from .linkify import attach_mentions, linkify
from .models import Post, User
from .models.post import PostQuerySet
from .pagination import EPOCH, PAGE_SIZE

MAX_TITLE_LENGTH = 80
INVALID_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class PostFeed(Atom1Feed):
    """Atom feed with the whole text of each post, and without the current time.

    An unchanged feed is byte for byte the same, so that its ETag holds.
    """

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        super().add_item_elements(handler, item)
        handler.addQuickElement("content", item["content"], {"type": "html"})

    def latest_post_date(self) -> datetime:
        return max((item["updateddate"] for item in self.items), default=EPOCH)


# ETag only, no Last-Modified: deleting or hiding a post makes the newest date older.
@require_safe
@cache_control(no_cache=True)
@conditional_page
def explore_feed(request: HttpRequest) -> HttpResponse:
    title = f"{_('Explore')} · Microblog"
    return _feed_response(title, reverse("explore"), request.path, posts=Post.objects.published())


@require_safe
@cache_control(no_cache=True)
@conditional_page
def profile_feed(request: HttpRequest, username: str) -> HttpResponse:
    users = User.objects.visible_to(AnonymousUser())
    user = get_object_or_404(users, username__lower=username.lower())
    if user.username != username:
        return redirect("profile-feed", user.username)
    title = f"{user.username} · Microblog"
    posts = user.posts.published()
    return _feed_response(title, user.get_absolute_url(), request.path, posts=posts)


def _feed_response(title: str, path: str, feed_path: str, posts: PostQuerySet) -> HttpResponse:
    newest = list(posts.select_related("author").newest_first()[:PAGE_SIZE])
    attach_mentions(newest, AnonymousUser())
    site = settings.SITE_URL
    feed = PostFeed(
        title=title, link=site + path, description=None, feed_url=site + feed_path, language=None
    )
    for post in newest:
        feed.add_item(**_feed_item(post))
    return HttpResponse(
        feed.writeString("utf-8"), content_type="application/atom+xml; charset=utf-8"
    )


def _feed_item(post: Post) -> dict[str, Any]:
    """Return the post as arguments of `add_item`.

    Its `unique_id` does not depend on the text or on the site's URL scheme (RFC 4151).
    """
    path = post.get_absolute_url()
    link = settings.SITE_URL + path
    body = INVALID_IN_XML.sub("\ufffd", post.body)
    content = linkify(body, post.mentions, site=settings.SITE_URL)
    return {
        "title": Truncator(" ".join(body.split())).chars(MAX_TITLE_LENGTH),
        "link": link,
        "description": None,
        "content": content.replace("\n", "<br>"),
        "unique_id": f"tag:{settings.SITE_HOST},{post.created_at:%Y-%m-%d}:{path}",
        "author_name": post.author.username,
        "author_link": settings.SITE_URL + post.author.get_absolute_url(),
        "pubdate": post.created_at,
        "updateddate": post.edited_at or post.created_at,
    }
