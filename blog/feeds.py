"""Atom feeds: what one person, or everyone, has written last. The same for whoever asks."""

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

from .linkify import attach, with_links
from .models import Post, User
from .models.post import PostQuerySet
from .pagination import EPOCH, PAGE_SIZE

TITLE_LENGTH = 80
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Feed(Atom1Feed):
    """Atom whose entries carry their whole text, and which does not change by being asked for."""

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        super().add_item_elements(handler, item)
        handler.addQuickElement("content", item["content"], {"type": "html"})

    def latest_post_date(self) -> datetime:
        return max((item["updateddate"] for item in self.items), default=EPOCH)


# No Last-Modified: a post that is deleted or hidden makes a feed older, and only the ETag tells.
@require_safe
@cache_control(no_cache=True)
@conditional_page
def explore_feed(request: HttpRequest) -> HttpResponse:
    title = f"{_('Explore')} · Microblog"
    return _feed(title, reverse("explore"), request.path, Post.objects.published())


@require_safe
@cache_control(no_cache=True)
@conditional_page
def profile_feed(request: HttpRequest, username: str) -> HttpResponse:
    people = User.objects.visible_to(AnonymousUser())
    person = get_object_or_404(people, username__lower=username.lower())
    if person.username != username:
        return redirect("profile-feed", person.username)
    posts = person.posts.published()
    return _feed(f"{person.username} · Microblog", person.get_absolute_url(), request.path, posts)


def _feed(title: str, path: str, feed_path: str, posts: PostQuerySet) -> HttpResponse:
    newest = list(posts.select_related("author").newest_first()[:PAGE_SIZE])
    attach(newest, AnonymousUser())
    site = settings.SITE_URL
    feed = Feed(
        title=title, link=site + path, description=None, feed_url=site + feed_path, language=None
    )
    for post in newest:
        feed.add_item(**_entry(post))
    return HttpResponse(
        feed.writeString("utf-8"), content_type="application/atom+xml; charset=utf-8"
    )


def _entry(post: Post) -> dict[str, Any]:
    """What the feed says of a post. Its id stays the same, whatever becomes of its text and of the site's scheme."""
    link = settings.SITE_URL + post.get_absolute_url()
    body = NOT_IN_XML.sub("\ufffd", post.body)
    return {
        "title": Truncator(" ".join(body.split())).chars(TITLE_LENGTH),
        "link": link,
        "description": None,
        "content": with_links(body, post.mentions, site=settings.SITE_URL).replace("\n", "<br>"),
        "unique_id": f"tag:{settings.SITE_HOST},{post.created_at:%Y-%m-%d}:{post.get_absolute_url()}",
        "author_name": post.author.username,
        "author_link": settings.SITE_URL + post.author.get_absolute_url(),
        "pubdate": post.created_at,
        "updateddate": post.edited_at or post.created_at,
    }
