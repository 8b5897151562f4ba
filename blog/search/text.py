"""Words of texts and queries, normalised in Python, so that both databases index the same.

The normal form is Unicode's NFKC with full case folding, without the marks of Latin, Greek,
Cyrillic, Hebrew and Arabic letters. Other scripts keep their marks: in kana, Thai or Devanagari
they tell words apart.
"""

import unicodedata
from functools import lru_cache

import regex

MAX_TOKEN_LENGTH = 100  # PostgreSQL refuses words of more than 2,046 bytes

# Scripts without spaces between words. The lengthening mark belongs to hiragana and katakana.
CJK = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}\u30fc"
CJK_CHARACTER = regex.compile(rf"[{CJK}]")
RUN = regex.compile(rf"[{CJK}]++|[[\p{{L}}\p{{N}}\p{{M}}]--[{CJK}]]++", regex.V1)
MARKED_LETTER = regex.compile(
    r"([\p{Latin}\p{Greek}\p{Cyrillic}\p{Hebrew}\p{Arabic}])\p{M}++", regex.V1
)
# The zero width space separates words. The tatweel only lengthens Arabic words in print.
IGNORED = regex.compile(r"[[\p{Default_Ignorable_Code_Point}\u0640]--\u200b]++", regex.V1)
# Unicode's Stream-Safe Text Format allows 30 marks in a row: sorting them takes quadratic time.
EXCESS_MARKS = regex.compile(r"(\p{M}{30})\p{M}++")
CLUSTER = regex.compile(r"\X")


def search_text(text: str) -> str:
    """Return the words of a text as the databases index them, with spaces between them."""
    return " ".join(tokenize(normalize(text)))


def tokenize(text: str) -> list[str]:
    """Split normalised text into words of letters, digits and their marks.

    A CJK character is a word of its own, because neither database finds a word of two such
    characters inside a sentence otherwise.
    """
    tokens: list[str] = []
    for run in RUN.findall(text):
        tokens += run if is_cjk(run) else [run[:MAX_TOKEN_LENGTH]]
    return tokens


def normalize(text: str) -> str:
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", EXCESS_MARKS.sub(r"\1", text)).casefold()
    text = unicodedata.normalize("NFD", IGNORED.sub("", text))
    return unicodedata.normalize("NFC", MARKED_LETTER.sub(r"\1", text))


def normalize_with_offsets(text: str) -> tuple[str, list[int]]:
    """Return the normal form, and for each of its characters where the original of it begins.

    The original is a letter with its marks. The list ends with the length of the text.
    """
    if text.isascii():
        return text.lower(), list(range(len(text) + 1))
    parts, offsets = [], []
    for match in CLUSTER.finditer(text):
        part = _normalize_cluster(match[0])
        parts.append(part)
        offsets += [match.start()] * len(part)
    return "".join(parts), [*offsets, len(text)]


_normalize_cluster = lru_cache(maxsize=1000)(normalize)


def is_cjk(token: str) -> bool:
    return CJK_CHARACTER.match(token) is not None
