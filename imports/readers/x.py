"""Archives of X, formerly Twitter: JavaScript files that assign JSON to a variable."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ..archives import Archive, ArchiveError, Problem
from ..archives.bare import ONLY_MEMBER
from .base import Reader
from .items import (
    MAX_BODY_LENGTH,
    ExcludedItem,
    Item,
    Reason,
    Summary,
    attachment_line,
    with_lines,
)
from .json_stream import read_document, read_items
from .timestamps import parse_iso, parse_twitter
from .values import as_dict

# "data/tweets.js" from 2022, "data/tweet.js" from 2020, "tweet.js" in 2019 and, before, one
# file a month. Long lists have further parts.
TWEETS = r"(?:(?:data/)?tweets?(?:-part\d+)?|data/js/tweets/\d{4}_\d\d)\.js"
BARE_HEAD = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:window\.YTD\.tweets?\.|Grailbird\.data\.tweets_)")
EXCLUDED = {
    r"(?:data/)?deleted-tweets?(?:-part\d+)?\.js": Reason.DELETED,
    r"(?:data/)?twitter-circle-tweet(?:-part\d+)?\.js": Reason.CIRCLE,
    r"(?:data/)?community-tweet(?:-part\d+)?\.js": Reason.COMMUNITY,
}
NOTES = r"(?:data/)?note-tweet(?:-part\d+)?\.js"

RETWEET = re.compile(r"RT @\w{1,50}:")
USERNAME = re.compile(r"\w{1,50}", re.ASCII)
LEADING_NAMES = re.compile(r"(?:@\w+\s+)*")
TRUNCATED = re.compile(r"…(?:\s+https?://\S+)?$")
NOTE_PREFIX_LENGTH = 50
NOTE_TOLERANCE_SECONDS = 5
MAX_NOTES_LENGTH = 50_000_000
MAX_LINKS = 100
MEDIA_KINDS = {"photo": "image", "animated_gif": "image", "video": "video"}


class Note(NamedTuple):
    """The whole text of a post that is cut short in the list of posts."""

    created_at: datetime
    text: str


class XReader(Reader):
    name = "x"
    label = "X"

    def __init__(self, archive: Archive, now: datetime | None = None) -> None:
        super().__init__(archive, now)
        self._notes: dict[int, list[Note]] = {}
        self._username = ""

    @classmethod
    def detect(cls, archive: Archive) -> bool:
        return bool(archive.find_all(TWEETS) or BARE_HEAD.match(archive.head))

    def read_summary(self) -> Summary:
        account = self._first("account.js", "account")
        profile = as_dict(self._first("profile.js", "profile").get("description"))
        name = account.get("username")
        files = self._files_in_manifest()
        return Summary(
            account=f"@{name}" if isinstance(name, str) else "",
            display_name=str(account.get("accountDisplayName") or "")[:200],
            about_me=str(profile.get("bio") or "")[:MAX_BODY_LENGTH],
            item_count=sum(count for _, count in files) if files else None,
            missing_files=tuple(name for name, _ in files if not self.archive.find(name)),
        )

    def read_items(self) -> Iterator[Item]:
        name = str(self._first("account.js", "account").get("username") or "i")
        # X finds a post by its number whatever the name in its address.
        self._username = name if USERNAME.fullmatch(name) else "i"
        self._read_notes()
        for member in sorted(self.archive.find_all(TWEETS), key=part_key) or [ONLY_MEMBER]:
            for tweet in self._read(member):
                yield self._item(tweet)
        self._notes.clear()
        for pattern, reason in EXCLUDED.items():
            for member in sorted(self.archive.find_all(pattern), key=part_key):
                yield from (self._excluded(reason, tweet) for tweet in self._read(member))

    def _read(self, member: str) -> Iterator[dict[str, Any]]:
        """Yield tweets without the {"tweet": ...} that archives have had since 2020."""
        for entry in read_items(self.archive, member, "item", is_javascript=True):
            entry = as_dict(entry)
            wrapped = as_dict(next(iter(entry.values()))) if len(entry) == 1 else {}
            yield wrapped or entry

    def _first(self, file_name: str, key: str) -> dict[str, Any]:
        member = self.archive.find(f"data/{file_name}", file_name)
        document = read_document(self.archive, member, is_javascript=True) if member else None
        entries = document if isinstance(document, list) else []
        return as_dict(as_dict(entries[0]).get(key)) if entries else {}

    def _files_in_manifest(self) -> list[tuple[str, int]]:
        member = self.archive.find("data/manifest.js", "manifest.js")
        document = read_document(self.archive, member, is_javascript=True) if member else None
        kinds = as_dict(as_dict(document).get("dataTypes"))
        files = as_dict(kinds.get("tweets") or kinds.get("tweet")).get("files")
        return [
            (str(file.get("fileName"))[:200], int(str(file.get("count") or 0)[:10]))
            for file in map(as_dict, files if isinstance(files, list) else [])
        ]

    def _read_notes(self) -> None:
        length = 0
        for member in self.archive.find_all(NOTES):
            for note in self._read(member):
                core, created_at = as_dict(note.get("core")), parse_iso(note.get("createdAt"))
                text = core.get("text")
                if created_at is None or not isinstance(text, str):
                    continue
                text = with_links(text, links_of(core, "shortUrl", "expandedUrl"))
                text = text[: MAX_BODY_LENGTH + 1]
                length += len(text)
                if length > MAX_NOTES_LENGTH:
                    raise ArchiveError(Problem.TOO_COMPLEX)
                second = int(created_at.timestamp())
                self._notes.setdefault(second, []).append(Note(created_at, text))

    def _item(self, tweet: dict[str, Any]) -> Item:
        text = tweet.get("full_text", tweet.get("text"))
        if not isinstance(text, str) or len(text) > 10 * MAX_BODY_LENGTH:
            return self._excluded(Reason.UNREADABLE, tweet)
        if RETWEET.match(text) or tweet.get("retweeted_status"):
            return self._excluded(Reason.RETWEET, tweet)
        if is_older_edit(tweet):
            return self._excluded(Reason.OLDER_EDIT, tweet)
        timestamp = parse_twitter(tweet.get("created_at"))
        return self.post(
            source_id=id_of(tweet),
            body=with_lines(self._text(tweet, text, timestamp), media_lines(tweet)),
            timestamp=timestamp,
            source_url=self._url(tweet),
            reply_to=tweet.get("in_reply_to_status_id_str"),
        )

    def _text(self, tweet: dict[str, Any], text: str, timestamp: datetime | None) -> str:
        text = unescape(text)
        match = TRUNCATED.search(text.rstrip())
        note = self._find_note(text[: match.start()], timestamp) if match and timestamp else None
        if note is not None:
            return note.strip()
        entities = as_dict(tweet.get("entities"))
        links = links_of(entities, "url", "expanded_url")
        return with_links(text, links | dict.fromkeys(media_urls(tweet), "")).strip()

    def _find_note(self, beginning: str, timestamp: datetime) -> str | None:
        """Return the note that begins as the truncated text does, and was posted at its time.

        Archives name no other connection between the two.
        """
        prefix = LEADING_NAMES.sub("", beginning, count=1)[:NOTE_PREFIX_LENGTH]
        if not prefix:
            return None
        second = int(timestamp.timestamp())
        tolerance = timedelta(seconds=NOTE_TOLERANCE_SECONDS)
        for near in range(second - NOTE_TOLERANCE_SECONDS, second + NOTE_TOLERANCE_SECONDS + 1):
            for note in self._notes.get(near, ()):
                if abs(note.created_at - timestamp) <= tolerance:
                    for text in (note.text, unescape(note.text)):
                        if LEADING_NAMES.sub("", text, count=1).startswith(prefix):
                            return text
        return None

    def _excluded(self, reason: Reason, tweet: dict[str, Any]) -> ExcludedItem:
        return ExcludedItem(
            reason, id_of(tweet), self._url(tweet), parse_twitter(tweet.get("created_at"))
        )

    def _url(self, tweet: dict[str, Any]) -> str:
        tweet_id = id_of(tweet)
        return f"https://x.com/{self._username}/status/{tweet_id}" if tweet_id else ""


def part_key(member: str) -> tuple[str, int]:
    """Sort parts by their number: tweets.js, tweets-part1.js, ..., tweets-part10.js."""
    number = re.search(r"-part(\d{1,9})\.js$", member)
    return (member, 0) if number is None else (member[: number.start()] + ".js", int(number[1]))


def is_older_edit(tweet: dict[str, Any]) -> bool:
    """Tell whether a later version follows in the chain of edits."""
    chain = as_dict(as_dict(tweet.get("edit_info")).get("initial")).get("editTweetIds")
    return isinstance(chain, list) and bool(chain) and str(chain[-1]) != id_of(tweet)


def id_of(tweet: dict[str, Any]) -> str:
    value = str(tweet.get("id_str") or tweet.get("id") or "")
    return value if value.isascii() and value.isdigit() and len(value) <= 20 else ""


def unescape(text: str) -> str:
    """Undo X's escaping exactly once; X escapes these three characters only."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def links_of(entities: dict[str, Any], short: str, expanded: str) -> dict[str, str]:
    urls = entities.get("urls")
    links = {}
    for url in map(as_dict, urls[:MAX_LINKS] if isinstance(urls, list) else []):
        if isinstance(url.get(short), str) and url.get(expanded):
            links[url[short]] = str(url[expanded])
    return links


def media_urls(tweet: dict[str, Any]) -> list[str]:
    return [str(medium["url"]) for medium in media_of(tweet) if medium.get("url")]


def with_links(text: str, links: dict[str, str]) -> str:
    """Replace short links in one pass, longest first: one may be the beginning of another."""
    links = {short: target for short, target in links.items() if short and short in text}
    if not links:
        return text
    longest_first = sorted(links, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return pattern.sub(lambda match: links[match[0]], text)


def media_of(tweet: dict[str, Any]) -> list[dict[str, Any]]:
    """Return pictures and videos: extended entities have all of them, entities the first."""
    for key in ("extended_entities", "entities"):
        media = as_dict(tweet.get(key)).get("media")
        if isinstance(media, list) and media:
            return [as_dict(medium) for medium in media[:MAX_LINKS]]
    return []


def media_lines(tweet: dict[str, Any]) -> list[str]:
    return [
        attachment_line(
            MEDIA_KINDS.get(str(medium.get("type")), "file"), medium.get("ext_alt_text")
        )
        for medium in media_of(tweet)
    ]
