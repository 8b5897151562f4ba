"""Reproducible demo users, follows, conversations and posts.

On the same day the same seed gives the same posts; their texts do not depend on the day. Some of
them are edge cases for rendering and export.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

from django.utils import timezone

from blog.models import MAX_POST_LENGTH

MAX_HISTORY = timedelta(days=8 * 365)
MAX_MEAN_INTERVAL = timedelta(hours=7)  # between two posts of one user
EDGE_CASE_INTERVAL = 9  # every ninth post is an edge case


class DemoUser(NamedTuple):
    username: str
    about_me: str = ""
    language: str = ""
    is_staff: bool = False


class DemoPost(NamedTuple):
    body: str
    created_at: datetime


DEMO = DemoUser("demo", "Writes a lot. Exports it all now and then.", language="en")
EMPTY = DemoUser("empty", "Only here to read.", language="en")
STAFF = DemoUser("staff", "Keeps the place tidy.", language="en", is_staff=True)

OTHERS = [
    DemoUser("ada.lindqvist", "Birds, bread and boats.", language="en"),
    DemoUser("Lucia_Ferrer", "Traductora. Café, montañas y trenes de noche.", language="es"),
    DemoUser("wei-zhang", "写代码,也写诗。", language="zh-hans"),
    DemoUser("O.Brien", "It's O'Brien, the site just has no apostrophe.", language="en"),
    DemoUser("noor", "أحب الكتب والقطط."),
    DemoUser("K", "One letter is enough."),
    DemoUser("kofi2004", "Football, physics <b>and</b> footnotes."),
    DemoUser("Tomasz-W", "Zażółć gęślą jaźń."),
    DemoUser("__mika__", "🎹 🌧️ 👩🏽‍🚀"),
    DemoUser("paul.van.der.berg-de-jong-and-other-names-that-never-seem-to-end"),
    DemoUser("1000lakes", "Hyvää päivää!"),
    DemoUser("rosa.m", "Profesora de historia en Valparaíso.", language="es"),
]

# Conversations of `demo` by username: whether `demo` is the sender, and the text; oldest first.
CONVERSATIONS: dict[str, list[tuple[bool, str]]] = {
    "ada.lindqvist": [
        (True, "Are you coming to the market on Saturday?"),
        (False, "If it does not rain. I need rye flour, and somebody to carry it."),
        (True, "Then I bring the bicycle.\n\nHere is the map: https://example.com/market"),
        (False, "Perfect. Ask @K as well?"),
    ],
    "Lucia_Ferrer": [
        (False, "¿Tienes todavía mi libro de los trenes de noche?"),
        (True, "Sí, ¡y me queda un capítulo!"),
    ],
    "wei-zhang": [
        (False, "上次说的那首诗,我翻译好了。"),
        (False, "有空的时候看看?"),
    ],
}

OPENINGS = [
    "", "", "", "", "Honestly, ", "So: ", "Good news: ", "Note to self: ", "Small win today: ",
    "Monday again, and ",
]  # fmt: skip
SUBJECTS = [
    "the neighbour's cat", "my sourdough", "the night train", "our old dishwasher", "the library",
    "this garden", "the first draft", "the choir", "my bicycle", "that tiny café by the river",
    "the school band", "the moon", "a stranger on the bus", "the new lens", "grandmother's recipe",
    "the map",
]  # fmt: skip
VERBS = [
    "finally works", "taught me something about patience", "smells of rain",
    "is smaller than I remembered", "came back after two weeks", "deserves a longer story",
    "was worth the walk", "sounds better with the window open", "made everybody laugh",
    "has a will of its own", "looks like a painting this morning", "survived the winter",
    "turned out to be the best part of the day", "needs more salt",
]  # fmt: skip
ENDINGS = [
    ".", ".", ".", "!", "…", "?", ", and nobody told me.", ". Tomorrow the same again.",
    ". Pictures follow.", " – who would have thought.", ". #slowliving", ". 🌱", ". ☕️",
    ". 1 of 3, more tonight.", " (again).",
]  # fmt: skip
SPANISH = [
    "Hoy el mar estaba tan quieto que parecía un espejo.",
    "¿Alguien sabe dónde venden buen pan por aquí?",
    "Terminé la novela a las tres de la mañana. Ninguna queja.",
    "El tren llegó a su hora. Lo escribo para que quede constancia.",
    "Mañana, por fin, ¡vacaciones!",
]
CHINESE = [
    "今天的晚霞很美,可惜没带相机。",
    "终于把那本书看完了,推荐给大家。",
    "早上跑了五公里,下午吃了两块蛋糕。",
    "外婆做的饺子,谁也比不上。",
    "下雨天最适合听老唱片。",
]

EDGE_CASES = [
    "She said: \"Never trust a quote,\" and closed it with 'another'.",
    "C:\\new\\table\\u0041 \\ \\\\ and a slash / at the end \\",
    "Line one\nline two\r\nline three\n\n\tand a tab",
    "<script>alert('hello')</script><img src=x onerror=alert(1)> & &amp; &lt;",
    "</script><!-- ]]> <b>not bold</b> {{ not_a_variable }} {% not_a_tag %} ${nor} %s %(this)s",
    "👩‍👩‍👧‍👦 👨🏿‍🚀 🏳️‍🌈 🇨🇱🇫🇮🇬🇭 ❤️‍🔥 1️⃣ family, astronaut, flags, a heart, a key",
    "مرحبا بالعالم! هذه جملة من اليمين إلى اليسار، وفيها English و123.",
    "שלום עולם, כותבים כאן מימין לשמאל (גם בסוגריים).",
    "Turned around: \u202ethgir ot tfel\u202c, isolated: \u2067אבג\u2069, done.",
    "漢字かな交じり文、한국어 문장, 以及中文,一行里都有。𠜎𠜱𠝹",
    "Separators\u2028that break\u2029old JavaScript\u0085and others\x0b\x0c\x1f.",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘ was here",
    "Same or not? é e\u0301, Å A\u030a Å, ﬁ fi, K K, ß ẞ, İi ıI",
    "=cmd|' /C calc'!A0",
    "+1+1\t@SUM(A1:A9)",
    "-2+3; DROP TABLE posts; -- Robert'); ''",
    "  two spaces before, three after   ",
    "\n\nbegins and ends with empty lines\n\n",
    "zero\u200bwidth\u200cand\u200djoiners\ufeffand\u00a0no-break\u00adsoft",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
    "https://example.com/" + "a-very-long-path/" * 12 + "?q=1&r=%20#end",
    "W" * MAX_POST_LENGTH,
    "😀" * MAX_POST_LENGTH,
    '{"posts": [{"body": "not really", "timestamp": null}]}',
    "null",
    "0",
    ".",
    "\x01\x7f\ufffd\ufffe\U0010ffff odd, but text",
    "สวัสดีชาวโลก ไม่มีช่องว่างระหว่างคำ · नमस्ते दुनिया · Γειά σου Κόσμε · Привет, мир",
]


def latest_end() -> datetime:
    """Return the midnight (UTC) at which today began, so that no demo data is in the future."""
    return timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def authors(count: int) -> list[DemoUser]:
    """Return `count` users who write posts, `demo` first."""
    named = [DEMO, *OTHERS][:count]
    return named + [DemoUser(f"reader{number}") for number in range(len(named) + 1, count + 1)]


def follow_pairs(authors: list[DemoUser]) -> Iterator[tuple[DemoUser, DemoUser]]:
    """Yield (follower, followed): `demo` follows the named users, everyone else the next five."""
    yield from ((DEMO, other) for other in authors[1 : len(OTHERS) + 1])
    for index, author in enumerate(authors[1:], 1):
        following = (authors[(index + step) % len(authors)] for step in range(1, 6))
        yield from ((author, other) for other in dict.fromkeys(following) if other != author)


def post_counts(authors: int, posts: int) -> list[int]:
    """Divide `posts` among the authors: half for the first, the rest in decreasing shares."""
    if authors == 1:
        return [posts]
    rest = posts // 2
    weights = [1 / rank for rank in range(1, authors)]
    counts = [int(rest * weight / sum(weights)) for weight in weights]
    counts[0] += rest - sum(counts)
    return [posts - rest, *counts]


def generate_posts(
    username: str, count: int, *, seed: int, end: datetime | None = None
) -> Iterator[DemoPost]:
    """Generate a user's posts, oldest first, all before `end` (default: today's first moment).

    Some of them share a timestamp.
    """
    end = end or latest_end()
    random = Random(f"{seed}/{username}")  # noqa: S311 - not used for security
    interval = min(MAX_MEAN_INTERVAL, MAX_HISTORY / max(count, 1))
    created_at = start = end - interval * count
    for number in range(count):
        if number % 50 != 49:
            created_at = _truncated(random, start + interval * (number + random.random()))
        yield DemoPost(_body(random, number), created_at)


def _truncated(random: Random, at: datetime) -> datetime:
    """Truncate a time to microseconds, milliseconds or seconds."""
    microseconds = random.choice((1, 1, 1, 1, 1000, 1_000_000))
    return at.replace(microsecond=at.microsecond // microseconds * microseconds)


def _body(random: Random, number: int) -> str:
    if number % EDGE_CASE_INTERVAL == EDGE_CASE_INTERVAL - 2:
        return EDGE_CASES[number // EDGE_CASE_INTERVAL % len(EDGE_CASES)]
    if random.random() < 0.1:
        return random.choice(SPANISH + CHINESE)
    sentences = [_sentence(random) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    return " ".join(sentences)[:MAX_POST_LENGTH]


def _sentence(random: Random) -> str:
    opening, subject = random.choice(OPENINGS), random.choice(SUBJECTS)
    verb, ending = random.choice(VERBS), random.choice(ENDINGS)
    text = f"{opening}{subject} {verb}{ending}"
    return text[0].upper() + text[1:]
