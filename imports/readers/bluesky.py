"""Bluesky repositories: a CAR file with a Merkle search tree of DAG-CBOR records."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ..archives import Archive, ArchiveError, Problem
from .base import Reader
from .car import CarFile, is_car
from .items import (
    MAX_BODY_LENGTH,
    ExcludedItem,
    Item,
    Reason,
    Summary,
    attachment_line,
    web_url,
    with_content_warning,
    with_lines,
)
from .timestamps import parse_iso
from .values import as_dict, as_list, as_text

POST, REPOST, PROFILE = "app.bsky.feed.post", "app.bsky.feed.repost", "app.bsky.actor.profile"
PAGES = {POST: "post", "app.bsky.feed.generator": "feed", "app.bsky.graph.list": "lists"}
MAX_KEY_BYTES = 1024
MAX_TREE_DEPTH = 100
MAX_FACETS = 1000
MAX_DID_LENGTH = 300

Record = tuple[str, bytes | None]
"""Key and CID; the CID is None for a part of the tree that is not in the file."""


class BlueskyReader(Reader):
    name = "bluesky"
    label = "Bluesky"

    @classmethod
    def detect(cls, archive: Archive) -> bool:
        return is_car(archive.head)

    def read_summary(self) -> Summary:
        tree = Tree(self.archive)
        profile: dict[str, Any] = {}
        for key, cid in tree.records():
            if key.startswith(f"{PROFILE}/") and cid is not None:
                profile = as_dict(tree.car.take(cid))
            if key > PROFILE:
                break
        return Summary(
            account=tree.did,
            display_name=as_text(profile.get("displayName"))[:200],
            about_me=as_text(profile.get("description"))[:MAX_BODY_LENGTH],
        )

    def read_items(self) -> Iterator[Item]:
        tree = Tree(self.archive)
        for key, cid in tree.records():
            collection, _, record_key = key.partition("/")
            source_id = f"at://{tree.did}/{key}"
            if cid is None:
                yield ExcludedItem(Reason.MISSING)
            elif collection == REPOST:
                yield ExcludedItem(Reason.REPOST, source_id)
            elif collection == POST:
                url = web_url(f"https://bsky.app/profile/{tree.did}/post/{record_key}")
                yield self._post(source_id, url, tree.car.take(cid))

    def _post(self, source_id: str, url: str, record: Any) -> Item:
        if isinstance(record, Reason):
            return ExcludedItem(record, source_id, url)
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            return ExcludedItem(Reason.UNREADABLE, source_id, url)
        return self.post(
            source_id=source_id,
            body=body_of(record),
            timestamp=parse_iso(record.get("createdAt")),
            source_url=url,
            reply_to=as_dict(as_dict(record.get("reply")).get("parent")).get("uri"),
        )


class Tree:
    """The records of a repository in the order of their keys."""

    def __init__(self, archive: Archive) -> None:
        self.car = CarFile(archive)
        commit = as_dict(self.car.take(self.car.root))
        self.did, self._root = as_text(commit.get("did")), commit.get("data")
        is_did = self.did.startswith("did:") and len(self.did) <= MAX_DID_LENGTH
        if not is_did or not isinstance(self._root, bytes):
            raise ArchiveError(Problem.DAMAGED)

    def records(self) -> Iterator[Record]:
        """Walk without recursion. Each node is read once, so no cycle can keep us here."""
        stack = [self._node(self._root)]
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
            elif isinstance(entry, bytes):
                stack.append(self._node(entry))
                if len(stack) > MAX_TREE_DEPTH:
                    raise ArchiveError(Problem.TOO_COMPLEX)
            else:
                yield entry

    def _node(self, cid: Any) -> Iterator[Record | bytes]:
        node = self.car.take(cid)
        if node is Reason.MISSING:
            yield "", None
            return
        if not isinstance(node, dict) or not isinstance(node.get("e"), list):
            raise ArchiveError(Problem.DAMAGED)
        if node.get("l") is not None:
            yield node["l"]
        key = b""
        for entry in node["e"]:
            key = key[: entry["p"]] + entry["k"]
            if len(key) > MAX_KEY_BYTES or not isinstance(entry["v"], bytes):
                raise ArchiveError(Problem.DAMAGED)
            yield key.decode(), entry["v"]
            if entry.get("t") is not None:
                yield entry["t"]


def body_of(record: dict[str, Any]) -> str:
    text = with_facets(record["text"], record.get("facets")).strip()
    embed = as_dict(record.get("embed"))
    media = as_dict(embed.get("media")) or embed
    link = web_url(as_dict(media.get("external")).get("uri"))
    quote = quote_url(embed)
    body = with_lines(
        text,
        [link] if link not in text else [],
        [quote] if quote not in text else [],
        media_lines(media),
    )
    labels = as_list(as_dict(record.get("labels")).get("values"))
    warnings = [as_text(as_dict(label).get("val")) for label in labels[:10]]
    return with_content_warning(", ".join(filter(None, warnings)), body)


def with_facets(text: str, facets: Any) -> str:
    """Replace the shortened texts of links by their targets.

    Positions are in bytes of UTF-8. Links that overlap or lie outside of the text are ignored.
    """
    data = text.encode()
    parts, position = [], 0
    for start, end, uri in sorted(filter(None, map(link_of, as_list(facets)[:MAX_FACETS]))):
        if position <= start < end <= len(data) and is_on_boundary(data, start, end):
            parts += [data[position:start], uri.encode()]
            position = end
    return b"".join([*parts, data[position:]]).decode()


def link_of(facet: Any) -> tuple[int, int, str] | None:
    """Return begin, end and target of a link; None for mentions, tags and broken facets."""
    index = as_dict(as_dict(facet).get("index"))
    start, end = index.get("byteStart"), index.get("byteEnd")
    features = as_list(as_dict(facet).get("features"))
    uris = (web_url(as_dict(feature).get("uri")) for feature in features)
    uri = next(filter(None, uris), "")
    return (start, end, uri) if uri and type(start) is type(end) is int else None


def is_on_boundary(data: bytes, start: int, end: int) -> bool:
    return all(position == len(data) or data[position] & 0xC0 != 0x80 for position in (start, end))


def quote_url(embed: dict[str, Any]) -> str:
    record = as_dict(embed.get("record"))
    uri = as_text(record.get("uri") or as_dict(record.get("record")).get("uri"))
    parts = uri.removeprefix("at://").split("/")
    if len(parts) != 3 or parts[1] not in PAGES:
        return ""
    return web_url(f"https://bsky.app/profile/{parts[0]}/{PAGES[parts[1]]}/{parts[2]}")


def media_lines(media: dict[str, Any]) -> list[str]:
    images = [
        attachment_line("image", as_dict(image).get("alt"))
        for image in islice(as_list(media.get("images")), 20)
    ]
    return images + ([attachment_line("video", media.get("alt"))] if "video" in media else [])
