"""Links in user text: web addresses, and @mentions of existing users."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import regex
from django.conf import settings
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from .models import Message, Post, User

# Characters that end an address: white space, invisible characters except joiners, ASCII that
# RFC 3986 does not allow, and quotes, brackets, dashes and sentence punctuation beyond ASCII.
# Letters beyond ASCII do not, because addresses in other languages hold them.
END = (
    r"\s\p{Cc}[\p{Cf}--[\u200c\u200d]]<>\"`\\"
    r"[[\p{Terminal_Punctuation}\p{Pi}\p{Pf}\p{Ps}\p{Pe}\u2014\u2015…‥¡¿]--\p{ASCII}]"
    r"[\p{P}&&[\p{East_Asian_Width=W}\p{East_Asian_Width=F}\p{East_Asian_Width=H}]]"
    r"[\p{S}&&\p{East_Asian_Width=F}]"
)
LABEL = r"[\p{L}\p{N}\p{M}-]++"
# No top-level domain mixes scripts, so letters after an ASCII one belong to the sentence.
HOST_BEFORE_LETTER = (
    rf"(?:{LABEL}\.)++[A-Za-z][A-Za-z0-9-]*+(?::[0-9]++)?+(?=[[\p{{L}}\p{{M}}]--\p{{ASCII}}])"
)
# Brackets belong to an address in pairs; those of round brackets may be nested.
ADDRESS = (
    rf"(?:[^{END}()\[\]{{}}]++"
    rf"|\((?:[^{END}()]++|\([^{END}()]*+\))*+\)"
    rf"|\[[^{END}\[\]]*+\]|\{{[^{END}{{}}]*+\}})++"
)
LINK = regex.compile(
    rf"(?<![A-Za-z0-9+])(?P<url>[Hh][Tt][Tt][Pp][Ss]?://(?:{HOST_BEFORE_LETTER}|{ADDRESS}))"
    r"|(?<![A-Za-z0-9_+-])[@＠](?P<username>[A-Za-z0-9_.-]{1,64})"
    rf"(?:[@＠](?P<host>{LABEL}(?:\.{LABEL})*+))?",
    regex.V1,
)
URL_WITH_HOST = regex.compile(r"https?://(?:[^\W_]|\[[0-9a-f:.]+\])", regex.IGNORECASE)
TRAILING_PUNCTUATION = ".,;:!?'–\u200c\u200d"


def find_mentions(text: str) -> Iterator[tuple[str, ...]]:
    """Yield for each mention the usernames that it may mean, in lower case, the likeliest first.

    "@ada." is "ada" and a full stop or, if there is no such user, "ada.".
    """
    for match in LINK.finditer(text):
        if names := _possible_names(match):
            yield tuple(name.lower() for name in names)


def choose_names(mentions: Iterable[tuple[str, ...]], existing: Container[str]) -> list[str]:
    """Return the existing name that each mention means; a mention never means two users."""
    chosen = (next((name for name in names if name in existing), "") for names in mentions)
    return list(dict.fromkeys(filter(None, chosen)))


def attach_mentions(texts: Iterable["Post | Message"], viewer: "User | AnonymousUser") -> None:
    """Set `mentions` of each text: lower-case to real username, of users that the viewer can see.

    One query for all texts, none if no text has a mention. Imported posts mention nobody, because
    a name of another service may be somebody else's here.
    """
    from .models import User

    texts = [text for text in texts if not getattr(text, "source", "")]
    names = {name for text in texts for names in find_mentions(text.body) for name in names}
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
        label, link_html = _link(match, usernames, render, site)
        if label:
            parts += [render(text[end : match.start()]), link_html]
            end = match.start() + len(label)
    return mark_safe("".join([*parts, render(text[end:])]))  # noqa: S308 - each part is escaped


def _link(
    match: regex.Match[str],
    usernames: Mapping[str, str],
    render: Callable[[str], str],
    site: str,
) -> tuple[str, SafeString]:
    """Return the text that is a link, and its HTML; empty if the match is none."""
    if match["url"]:
        url = match["url"].rstrip(TRAILING_PUNCTUATION)
        label = url if URL_WITH_HOST.match(url) else ""
        attributes = format_html('href="{}" rel="nofollow ugc noopener"', url)
    else:
        label, username = _find_mentioned(match, usernames)
        attributes = _profile_attributes(username, site) if label else mark_safe("")
    text = mark_safe(render(label))  # noqa: S308 - escaped by `render`
    return label, format_html("<a {}>{}</a>", attributes, text)


def _find_mentioned(match: regex.Match[str], usernames: Mapping[str, str]) -> tuple[str, str]:
    """Return the text of the mention and the user's real name; empty if there is no such user."""
    for name in _possible_names(match):
        if username := usernames.get(name.lower()):
            has_own_host = match["host"] and _is_own_host(match["host"])
            label = f"@{name}@{settings.SITE_HOST}" if has_own_host else f"@{name}"
            return match[0][: len(label)], username
    return "", ""


def _possible_names(match: regex.Match[str]) -> list[str]:
    """Return the usernames that a mention may mean; none for an account at another site."""
    name, host = match["username"] or "", match["host"] or ""
    if host and _is_own_host(host):
        return [name]
    if "." in host:
        return []
    names = (name.rstrip(".-"), name.rstrip("._-"), name)
    return list(dict.fromkeys(filter(None, names)))


def _is_own_host(host: str) -> bool:
    """Return whether the host is this site's, whatever letters of the sentence follow it."""
    own, rest = host[: len(settings.SITE_HOST)], host[len(settings.SITE_HOST) :]
    return own.lower() == settings.SITE_HOST.lower() and not (rest and rest[0].isascii())


def _profile_attributes(username: str, site: str) -> SafeString:
    path = reverse("profile", args=[username])
    if site:
        return format_html('href="{}"', site + path)
    card = reverse("hover-card", args=[username])
    return format_html('href="{}" data-hover-card="{}"', path, card)
