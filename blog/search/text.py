"""Words of texts and queries, as both databases index them."""

import re
import unicodedata

# Radicals, kana, bopomofo, ideographs, hangul. The blocks in between are rare; their characters
# are treated as letters of words.
CJK = "\u2e80-\u2fdf\u3040-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
CJK_CHARACTER = re.compile(rf"[{CJK}]")


def tokenize(text: str) -> list[str]:
    """Split at everything but letters, digits and their marks; a CJK character is its own token."""
    tokens = [""]
    for character in text:
        if is_cjk(character):
            tokens += [character, ""]
        elif unicodedata.category(character)[0] in "LNM":
            tokens[-1] += character
        else:
            tokens.append("")
    return [token for token in tokens if token]


def normalize(text: str) -> str:
    """Lower the case and strip the accents of Latin letters, without changing the length."""
    return "".join(map(_normalize_character, text))


def _normalize_character(character: str) -> str:
    base = unicodedata.normalize("NFD", character)[0]
    lower = (base if base.isascii() else character).lower()
    return lower if len(lower) == 1 else character


def is_cjk(token: str) -> bool:
    return CJK_CHARACTER.match(token) is not None
