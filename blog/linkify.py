"""Links in what people write: web addresses, and @names of people who exist."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from .paths import path_to

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from .models import Message, Post, User

LINK = re.compile(
    r"(?P<url>https?://[^\s<>\"]+)|(?<![\w@/.-])@(?P<name>[A-Za-z0-9_.-]{1,64})", re.IGNORECASE
)
HOST = re.compile(r"https?://[^\W_]", re.IGNORECASE)
CLOSING = {")": "(", "]": "[", "}": "{"}
ENDING = ".,;:!?'*_~…。,、!?;:”’»"


def find_usernames(text: str) -> Iterator[str]:
    """The names, in lower case, that the text may mention: `@ada.` is ada., or ada and a full stop."""
    for found in LINK.finditer(text):
        if name := found["name"]:
            yield name.lower()
            yield name.rstrip(".-").lower()


def attach(texts: Iterable["Post | Message"], viewer: "User | AnonymousUser") -> None:
    """Let each know, in `mentions`, which of its names the viewer can visit: one query, or none, for all."""
    from .models import User

    names = {name for text in texts for name in find_usernames(text.body)}
    people = (
        User.objects.visible_to(viewer).filter(username__lower__in=names)
        if names
        else User.objects.none()
    )
    known = {username.lower(): username for username in people.values_list("username", flat=True)}
    for text in texts:
        text.mentions = known


def with_links(
    text: str, known: Mapping[str, str], show: Callable[[str], str] = escape, site: str = ""
) -> SafeString:
    """The text as HTML, escaped; `known` leads from a name in lower case to the name as it is written.

    `show` makes HTML of what is no link, and of what a link says. Read elsewhere, as in a feed, links begin with the
    address of the `site`.
    """
    parts, end = [], 0
    for found in LINK.finditer(text):
        if found.start() < end:
            continue
        shown = _trimmed(found["url"]) if found["url"] else _known_part(found["name"], known)
        if shown:
            parts += [show(text[end : found.start()]), _link(shown, known, show, site)]
            end = found.start() + len(shown)
    return mark_safe("".join([*parts, show(text[end:])]))  # noqa: S308 - each part is escaped


def _trimmed(url: str) -> str:
    """Without what belongs to the sentence around it; empty if nothing is left to go to."""
    while url and (
        url[-1] in ENDING
        or (url[-1] in CLOSING and url.count(CLOSING[url[-1]]) < url.count(url[-1]))
    ):
        url = url[:-1]
    return url if HOST.match(url) else ""


def _known_part(name: str, known: Mapping[str, str]) -> str:
    candidates = (name, name.rstrip(".-"))
    return next((f"@{candidate}" for candidate in candidates if candidate.lower() in known), "")


def _link(
    shown: str, known: Mapping[str, str], show: Callable[[str], str], site: str
) -> SafeString:
    words = mark_safe(show(shown))  # noqa: S308 - escaped
    if shown.startswith("@"):
        username = known[shown[1:].lower()]
        address = path_to("profile", username)
        if site:
            return format_html('<a href="{}">{}</a>', site + address, words)
        return format_html(
            '<a href="{}" data-hover-card="{}">{}</a>', address, path_to("hover-card", username), words
        )
    return format_html('<a href="{}" rel="nofollow ugc noopener">{}</a>', shown, words)
