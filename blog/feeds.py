"""Public Atom feeds of the newest posts, of one user or of everyone; no reader is signed in."""

import re
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.syndication.views import Feed
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


class PostAtomFeed(Atom1Feed):
    """Atom feed with the whole text of each post, and without the current time.

    An unchanged feed is byte for byte the same, so that its ETag holds.
    """

    content_type = "application/atom+xml; charset=utf-8"

    def root_attributes(self) -> dict[str, str]:
        attributes: dict[str, str] = super().root_attributes()
        attributes.pop("xml:lang", None)  # the language of the posts is unknown
        return attributes

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        super().add_item_elements(handler, item | {"description": None})
        handler.addQuickElement("content", item["description"], {"type": "html"})

    def latest_post_date(self) -> datetime:
        return max((item["updateddate"] for item in self.items), default=EPOCH)


class PostFeed(Feed[Post, User | None]):
    """Feed of posts. All URLs are absolute, because the site's own URL is in the settings."""

    feed_type = PostAtomFeed

    def __call__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().__call__(request, *args, **kwargs)
        # ETag only: deleting or hiding a post makes the newest date older.
        del response["Last-Modified"]
        return response

    def newest(self, posts: PostQuerySet) -> list[Post]:
        newest = list(posts.written_here().select_related("author").newest_first()[:PAGE_SIZE])
        attach_mentions(newest, AnonymousUser())
        return newest

    def item_title(self, item: Post) -> str:
        return Truncator(" ".join(_valid_text(item).split())).chars(MAX_TITLE_LENGTH)

    def item_description(self, item: Post) -> str:
        html = linkify(_valid_text(item), item.mentions, site=settings.SITE_URL)
        return str(html).replace("\n", "<br>")

    def item_link(self, item: Post) -> str:
        return absolute_url(item.get_absolute_url())

    def item_guid(self, item: Post) -> str:
        """Return an id that depends on neither the text nor the site's URL scheme (RFC 4151)."""
        return f"tag:{settings.SITE_HOST},{item.created_at:%Y-%m-%d}:{item.get_absolute_url()}"

    def item_author_name(self, item: Post) -> str:
        return item.author.username

    def item_author_link(self, item: Post) -> str:
        return absolute_url(item.author.get_absolute_url())

    def item_pubdate(self, item: Post) -> datetime:
        return item.created_at

    def item_updateddate(self, item: Post) -> datetime:
        return item.edited_at or item.created_at


class ExploreFeed(PostFeed):
    def title(self) -> str:
        return f"{_('Explore')} · Microblog"

    def link(self) -> str:
        return absolute_url(reverse("explore"))

    def feed_url(self) -> str:
        return absolute_url(reverse("explore-feed"))

    def items(self) -> list[Post]:
        return self.newest(Post.objects.published())


class ProfileFeed(PostFeed):
    def get_object(self, request: HttpRequest, user: User) -> User:
        return user

    def title(self, user: User) -> str:
        return f"{user.username} · Microblog"

    def link(self, user: User) -> str:
        return absolute_url(user.get_absolute_url())

    def feed_url(self, user: User) -> str:
        return absolute_url(reverse("profile-feed", args=[user.username]))

    def items(self, user: User) -> list[Post]:
        return self.newest(user.posts.published())


@require_safe
@cache_control(no_cache=True)
@conditional_page
def explore_feed(request: HttpRequest) -> HttpResponse:
    return ExploreFeed()(request)


@require_safe
@cache_control(no_cache=True)
@conditional_page
def profile_feed(request: HttpRequest, username: str) -> HttpResponse:
    users = User.objects.visible_to(AnonymousUser())
    user = get_object_or_404(users, username__lower=username.lower())
    if user.username != username:
        return redirect("profile-feed", user.username)
    return ProfileFeed()(request, user)


def absolute_url(path: str) -> str:
    return f"{settings.SITE_URL}{path}"


def _valid_text(post: Post) -> str:
    return INVALID_IN_XML.sub("\ufffd", post.body)
