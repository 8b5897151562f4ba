"""Links in user text: web addresses, and @mentions of existing users."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from .models import Message, Post, User

LINK = re.compile(
    r"(?P<url>https?://[^\s<>\"]+)|(?<![\w@/.-])@(?P<username>[A-Za-z0-9_.-]{1,64})", re.IGNORECASE
)
URL_WITH_HOST = re.compile(r"https?://[^\W_]", re.IGNORECASE)
BRACKETS = {")": "(", "]": "[", "}": "{"}
TRAILING_PUNCTUATION = ".,;:!?'*_~…。,、!?;:”’»"


def find_usernames(text: str) -> Iterator[str]:
    """Yield possible mentions in lower case: "@ada." is user "ada.", or "ada" and a full stop."""
    for match in LINK.finditer(text):
        if username := match["username"]:
            yield username.lower()
            yield username.rstrip(".-").lower()


def attach_mentions(texts: Iterable["Post | Message"], viewer: "User | AnonymousUser") -> None:
    """Set `mentions` of each text: lower-case to real username, of users that the viewer can see.

    One query for all texts, none if no text has a mention. Imported posts mention nobody, because
    a name of another service may be somebody else's here.
    """
    from .models import User

    texts = [text for text in texts if not getattr(text, "source", "")]
    names = {name for text in texts for name in find_usernames(text.body)}
    users = (
        User.objects.visible_to(viewer).filter(username__lower__in=names)
        if names
        else User.objects.none()
    )
    usernames = {
        username.lower(): username for username in users.values_list("username", flat=True)
    }
    for text in texts:
        text.mentions = usernames


def linkify(
    text: str, usernames: Mapping[str, str], render: Callable[[str], str] = escape, site: str = ""
) -> SafeString:
    """Return the text as escaped HTML with links.

    `usernames` maps lower-case to real usernames, as in `mentions`. `render` escapes a piece of
    text, and may mark it up. Feeds pass the URL of the `site`, because their links are absolute.
    """
    parts, end = [], 0
    for match in LINK.finditer(text):
        if match.start() < end:
            continue
        link = (
            _trim_url(match["url"]) if match["url"] else _trim_mention(match["username"], usernames)
        )
        if link:
            parts += [render(text[end : match.start()]), _link_html(link, usernames, render, site)]
            end = match.start() + len(link)
    return mark_safe("".join([*parts, render(text[end:])]))  # noqa: S308 - each part is escaped


def _trim_url(url: str) -> str:
    """Remove the punctuation of the surrounding sentence; return "" if no host remains."""
    while url and (
        url[-1] in TRAILING_PUNCTUATION
        or (url[-1] in BRACKETS and url.count(BRACKETS[url[-1]]) < url.count(url[-1]))
    ):
        url = url[:-1]
    return url if URL_WITH_HOST.match(url) else ""


def _trim_mention(name: str, usernames: Mapping[str, str]) -> str:
    candidates = (name, name.rstrip(".-"))
    return next((f"@{candidate}" for candidate in candidates if candidate.lower() in usernames), "")


def _link_html(
    link: str, usernames: Mapping[str, str], render: Callable[[str], str], site: str
) -> SafeString:
    label = mark_safe(render(link))  # noqa: S308 - escaped by `render`
    if not link.startswith("@"):
        return format_html('<a href="{}" rel="nofollow ugc noopener">{}</a>', link, label)
    username = usernames[link[1:].lower()]
    path = reverse("profile", args=[username])
    if site:
        return format_html('<a href="{}">{}</a>', site + path, label)
    card = reverse("hover-card", args=[username])
    return format_html('<a href="{}" data-hover-card="{}">{}</a>', path, card, label)
