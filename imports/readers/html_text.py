"""HTML of posts to plain text."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from .items import MAX_BODY_LENGTH

# Beyond these limits, which no real post comes near, parsing takes quadratic time.
MAX_HTML_LENGTH = 200_000
MAX_TAG_LENGTH = 4_000
MAX_NESTING = 100
FEW_TAGS = MAX_NESTING

TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
LONG_TAG = re.compile(rf"<[a-zA-Z][^>]{{{MAX_TAG_LENGTH}}}")
VOID = {"br", "hr", "img", "input", "wbr", "source", "link", "meta"}
LINE_BREAKS = re.compile(r"[ \t]*[\r\n\f]+[ \t\r\n\f]*")

PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "table", "hr"}
LISTS = {"ul", "ol"}
LINES = {"div", "tr", "section", "article", "dt", "dd", "details", "summary"}
SKIPPED = {"script", "style", "template", "head", "title", "noscript", "iframe", "object"}
MAX_PREFIX_LENGTH = 20

Mentions = Mapping[tuple[str, str], str]
"""Full names such as "@tove@far.example" by ("tove", host)."""


class UnreadableHtml(ValueError):
    """HTML that is longer or more nested than any post."""


def html_to_text(html: str, mentions: Mentions | None = None) -> str:
    """Return the text with line breaks, link targets and full names of mentioned people."""
    check_html(html)
    body = LexborHTMLParser(html).body
    return TextBuilder(mentions or {}).build(body) if body is not None else ""


def check_html(html: str) -> None:
    if len(html) > MAX_HTML_LENGTH or LONG_TAG.search(html):
        raise UnreadableHtml
    if html.count("<") <= FEW_TAGS:
        return
    depth = 0
    for is_end, name in TAG.findall(html):
        if name.lower() not in VOID:
            depth += -1 if is_end else 1
        if depth > MAX_NESTING:
            raise UnreadableHtml


class TextBuilder:
    """Walks the tree without recursion and joins texts and line breaks."""

    def __init__(self, mentions: Mentions) -> None:
        self._mentions = mentions
        self._parts: list[str] = []
        self._length = 0
        self._breaks = 0
        self._prefix = self._written_prefix = ""
        self._bullet = ""
        self._counters: list[int] = []
        self._prefixes: list[str] = []
        self._preformatted = 0

    def build(self, root: LexborNode) -> str:
        for is_start, node in walk(root, self._is_whole):
            if self._length > 2 * MAX_BODY_LENGTH:
                break
            if node.is_text_node:
                self._add_text(node.text_content or "")
            elif is_start:
                self._start(node)
            else:
                self._end(node)
        return "".join(self._parts).strip()

    def _is_whole(self, node: LexborNode) -> bool:
        """Tell whether the node is handled without looking at its children."""
        return node.tag == "a" or node.tag in SKIPPED

    def _start(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "br":
            self._breaks += 1
        elif tag == "a":
            self._write(link_text(node, self._mentions))
        elif tag == "img":
            self._write(node.attributes.get("alt") or "")
        elif tag == "li":
            self._start_list_item()
        elif tag in LISTS:
            self._break(1 if self._counters else 2)
            self._counters.append(1 if tag == "ol" else 0)
        else:
            self._start_block(tag)

    def _start_list_item(self) -> None:
        number = self._counters[-1] if self._counters else 0
        if number:
            self._counters[-1] += 1
        self._break(1)
        self._indent("  ")
        self._bullet = f"{number}. " if number else "- "

    def _start_block(self, tag: str) -> None:
        if tag in PARAGRAPHS and not self._bullet:
            self._break(2)
        elif tag in LINES:
            self._break(1)
        elif tag == "td":
            self._write(" ")
        if tag == "blockquote":
            self._indent("> ")
        elif tag == "pre":
            self._preformatted += 1

    def _end(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in LISTS:
            self._counters.pop()
            self._break(1 if self._counters else 2)
        elif tag == "li":
            self._outdent()
            self._bullet = ""
            self._break(1)
        elif tag in PARAGRAPHS:
            self._break(1 if self._counters else 2)
        elif tag in LINES:
            self._break(1)
        if tag == "blockquote":
            self._outdent()
        elif tag == "pre":
            self._preformatted -= 1

    def _indent(self, prefix: str) -> None:
        self._prefixes.append(self._prefix)
        if len(self._prefix) < MAX_PREFIX_LENGTH:
            self._prefix += prefix

    def _outdent(self) -> None:
        self._prefix = self._prefixes.pop()

    def _break(self, count: int) -> None:
        self._breaks = max(self._breaks, count)

    def _add_text(self, text: str) -> None:
        if self._preformatted:
            self._add_preformatted(text)
            return
        if "\n" in text or "\r" in text:
            text = LINE_BREAKS.sub(" ", text)
            if self._breaks or not self._parts:
                text = text.lstrip(" ")
        # Mastodon shows several spaces as they are, so they stay.
        if text and not ((self._breaks or not self._parts) and text.isspace()):
            self._write(text)

    def _add_preformatted(self, text: str) -> None:
        for number, line in enumerate(text.split("\n")):
            self._breaks += bool(number)
            if line:
                self._write(line)

    def _write(self, text: str) -> None:
        if not text:
            return
        if not self._parts:
            self._parts.append(self._line_start())
        elif self._breaks:
            self._parts[-1] = self._parts[-1].rstrip(" ")
            empty_line = "\n" + common_start(self._prefix, self._written_prefix).rstrip()
            self._parts.append(empty_line * (self._breaks - 1) + "\n" + self._line_start())
        elif self._bullet:
            self._parts.append(self._line_start())
        self._breaks, self._written_prefix = 0, self._prefix
        self._parts.append(text)
        self._length += len(text)

    def _line_start(self) -> str:
        if not self._bullet:
            return self._prefix
        bullet, self._bullet = self._bullet, ""
        return self._prefix[:-2] + bullet


def common_start(one: str, other: str) -> str:
    shorter, longer = sorted((one, other), key=len)
    return shorter if longer.startswith(shorter) else ""


def walk(
    root: LexborNode, is_whole: Callable[[LexborNode], bool]
) -> Iterator[tuple[bool, LexborNode]]:
    """Yield (is_start, node) for the start and the end of each node below `root`."""
    stack: list[LexborNode] = []
    node = root.first_child
    while node is not None or stack:
        if node is None:
            node = stack.pop()
            yield False, node
            node = node.next
            continue
        yield True, node
        child = None if node.is_text_node or is_whole(node) else node.first_child
        if child is None:
            if node.is_element_node and not is_whole(node):
                yield False, node
            node = node.next
        else:
            stack.append(node)
            node = child


def link_text(node: LexborNode, mentions: Mentions) -> str:
    """Return a link's target, with its text in front if that says something else.

    Of mentioned people it is the full name, of hashtags the text.
    """
    attributes: Mapping[str, Any] = node.attributes
    text = " ".join(node.text(deep=True).split())
    href = attributes.get("href") or ""
    classes, rel = ((attributes.get(name) or "").split() for name in ("class", "rel"))
    if text.startswith("#") or "hashtag" in classes or "tag" in rel:
        return text
    if text.startswith("@"):
        return full_name(text, href, mentions)
    if not href.startswith(("http://", "https://")):
        return text
    is_shortened = "…" in text or node.css_first("span.invisible, span.ellipsis") is not None
    if not text or is_shortened or bare_url(text) == bare_url(href):
        return href
    return f"{text} ({href})"


def full_name(text: str, href: str, mentions: Mentions) -> str:
    name = text.removeprefix("@").partition("@")[0].lower()
    return mentions.get((name, host_of(href)), text)


def host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def bare_url(url: str) -> str:
    return re.sub(r"^https?://(?:www\.)?", "", url).rstrip("/")
