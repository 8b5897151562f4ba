"""Full-text search for posts and users. `blog.search.index` maintains the index."""

import re
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet
from django.utils.functional import cached_property
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from ..models import Post, User
from .index import POSTS, USERS, SearchIndex, backend_for
from .text import CJK, is_cjk, normalize, tokenize

MAX_RESULTS = 200
MAX_CANDIDATES = 2000  # the newest matches are ranked; bounds the cost of frequent words
MAX_QUERY_LENGTH = 100
MAX_WORDS = 10

WORD_START = rf"(?<![^\W_{CJK}])"
SEPARATOR = r"[\W_]*"


class SearchResult(NamedTuple):
    """Primary keys, best match first, at most MAX_RESULTS; `has_more` if others match too."""

    keys: list[int]
    has_more: bool


class SearchQuery:
    """Query that matches texts with all its words; each word matches as a prefix, CJK exactly."""

    def __init__(self, text: str) -> None:
        words = [tokenize(normalize(word)) for word in text[:MAX_QUERY_LENGTH].split()]
        self.words = [word for word in words if word][:MAX_WORDS]

    def __bool__(self) -> bool:
        return bool(self.words)

    def posts(self, among: QuerySet[Post]) -> SearchResult:
        return self._best(POSTS, among)

    def users(self, among: QuerySet[User]) -> SearchResult:
        return self._best(USERS, among)

    def highlight(self, text: str) -> SafeString:
        """Return the text as escaped HTML with <mark> around the matches."""
        parts, end = [], 0
        for match in self._pattern.finditer(normalize(text)):
            start = match.start()
            parts.append(escape(text[end:start]))
            end = match.end()
            parts.append(format_html("<mark>{}</mark>", text[start:end]))
        return mark_safe("".join([*parts, escape(text[end:])]))  # noqa: S308 - each part is escaped

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Longest first, because an alternation takes the first word that matches.
        words = sorted(self.words, key=lambda word: -len("".join(word)))
        return re.compile(
            "|".join(
                WORD_START * (not is_cjk(word[0])) + SEPARATOR.join(map(re.escape, word))
                for word in words
            )
        )

    def _best(self, index: SearchIndex, among: QuerySet[Post] | QuerySet[User]) -> SearchResult:
        if not self:
            return SearchResult([], has_more=False)
        candidates = self._candidates(index)
        visible = set(among.filter(pk__in=candidates).values_list("pk", flat=True))
        keys = [key for key in candidates if key in visible]
        has_more = len(keys) > MAX_RESULTS or len(candidates) == MAX_CANDIDATES
        return SearchResult(keys[:MAX_RESULTS], has_more)

    def _candidates(self, index: SearchIndex) -> list[int]:
        backend = backend_for(connection)
        sql = backend.MATCH_QUERY.format(words=index.words_table)
        expression = backend.match_expression(self.words)
        with connection.cursor() as cursor:
            cursor.execute(sql, {"expression": expression, "limit": MAX_CANDIDATES})
            return [key for (key,) in cursor.fetchall()]
