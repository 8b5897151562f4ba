"""Texts that show nothing, which forms and imports refuse."""

import regex

# Default-ignorable characters, white space, controls, and letters and signs with an empty glyph:
# blank Braille pattern, null notehead, Egyptian blanks, Khitan filler. Marks show even alone.
INVISIBLE = (
    r"\p{Default_Ignorable_Code_Point}\p{Z}\p{Cc}\p{Cf}"
    r"\u2800\U0001D159\U00013441\U00013442\U00016FE4"
)
VISIBLE = regex.compile(rf"[^{INVISIBLE}]")


def is_blank(text: str) -> bool:
    return VISIBLE.search(text) is None
