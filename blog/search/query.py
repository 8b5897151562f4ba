"""Finding posts and people by the words in them. `blog.search.index` keeps the words."""

import re
import unicodedata
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet
from django.utils.functional import cached_property
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from ..models import Post, User
from .index import CJK, PEOPLE, POSTS, Indexed

BEST = 200
CANDIDATES = 2000  # of which the best are chosen: the newest that match, so that a word in every post costs no more
LONGEST = 100  # characters of a question
MOST_WORDS = 10

BEFORE = rf"(?<![^\W_{CJK}])"  # the beginning of a word
BETWEEN = r"[\W_]*"
IDEOGRAPH = re.compile(rf"[{CJK}]")


class Found(NamedTuple):
    """Keys, the best first, at most `BEST` of them; `has_more` where others match as well."""

    keys: list[int]
    has_more: bool


class Question:
    """What somebody is looking for: all of its words, each as the beginning of one, Chinese ones as they stand."""

    def __init__(self, text: str) -> None:
        parts = [tokens(fold(part)) for part in text[:LONGEST].split()]
        self.words = [part for part in parts if part][:MOST_WORDS]

    def __bool__(self) -> bool:
        return bool(self.words)

    def posts(self, among: QuerySet[Post]) -> Found:
        """Those that match and are among the given ones."""
        return self._best(POSTS, among)

    def people(self, among: QuerySet[User]) -> Found:
        return self._best(PEOPLE, among)

    def mark(self, text: str) -> SafeString:
        """The text as HTML, escaped, with <mark> around what was found in it."""
        parts, end = [], 0
        for found in self._pattern.finditer(fold(text)):
            parts += [
                escape(text[end : found.start()]),
                format_html("<mark>{}</mark>", text[slice(*found.span())]),
            ]
            end = found.end()
        return mark_safe("".join([*parts, escape(text[end:])]))  # noqa: S308 - each part is escaped

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """For texts that have gone through `fold`: the longest words first."""
        words = sorted(self.words, key=lambda word: -len("".join(word)))
        return re.compile(
            "|".join(
                BEFORE * _is_spelt(word[0]) + BETWEEN.join(map(re.escape, word)) for word in words
            )
        )

    def _best(self, indexed: Indexed, among: QuerySet[Post] | QuerySet[User]) -> Found:
        if not self:
            return Found([], has_more=False)
        candidates = self._candidates(indexed)
        seen = set(among.filter(pk__in=candidates).values_list("pk", flat=True))
        keys = [key for key in candidates if key in seen]
        return Found(keys[:BEST], has_more=len(keys) > BEST or len(candidates) == CANDIDATES)

    def _candidates(self, indexed: Indexed) -> list[int]:
        sql, question = (
            (SQLITE, self._fts5())
            if connection.vendor == "sqlite"
            else (POSTGRESQL, self._tsquery())
        )
        with connection.cursor() as cursor:
            cursor.execute(
                sql.format(words=indexed.words), {"question": question, "most": CANDIDATES}
            )
            return [key for (key,) in cursor.fetchall()]

    def _fts5(self) -> str:
        return " AND ".join(
            f'"{" ".join(word)}"{"*" if _is_spelt(word[-1]) else ""}' for word in self.words
        )

    def _tsquery(self) -> str:
        return " & ".join(
            "({})".format(
                " <-> ".join(
                    [*map(_quoted, word[:-1]), _quoted(word[-1]) + ":*" * _is_spelt(word[-1])]
                )
            )
            for word in self.words
        )


SQLITE = """
    SELECT rowid FROM (
        SELECT rowid, rank AS worth FROM {words} WHERE {words} MATCH %(question)s ORDER BY rowid DESC LIMIT %(most)s
    ) ORDER BY worth, rowid DESC
"""
POSTGRESQL = """
    SELECT id FROM (
        SELECT id, words FROM {words} WHERE words @@ %(question)s::tsquery ORDER BY id DESC LIMIT %(most)s
    ) newest ORDER BY ts_rank(words, %(question)s::tsquery) DESC, id DESC
"""


def tokens(text: str) -> list[str]:
    """The words in it, as the indexes see them: letters, digits and their marks; an ideograph is one by itself."""
    found = [""]
    for letter in text:
        if IDEOGRAPH.match(letter):
            found += [letter, ""]
        elif unicodedata.category(letter)[0] in "LNM":
            found[-1] += letter
        else:
            found.append("")
    return [token for token in found if token]


def fold(text: str) -> str:
    """Without case and the accents of Latin letters; as long as before, so that places stay what they are."""
    return "".join(map(_plain, text))


def _plain(letter: str) -> str:
    base = unicodedata.normalize("NFD", letter)[0]
    small = (base if base.isascii() else letter).lower()
    return small if len(small) == 1 else letter


def _is_spelt(token: str) -> bool:
    """Whether it is made of letters, of which a word has several, and may go on."""
    return IDEOGRAPH.match(token) is None


def _quoted(token: str) -> str:
    return f"'{token}'"  # letters and digits only: there is nothing to escape
