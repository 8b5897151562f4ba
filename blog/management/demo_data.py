"""Demo people and what they write: the same for the same seed, mostly readable, every so often nasty on purpose."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

from blog.models import MAX_POST_LENGTH

LATEST = datetime(
    2026, 1, 1, tzinfo=UTC
)  # fixed, so that a run today and one tomorrow make the same posts
LONGEST_HISTORY = timedelta(days=8 * 365)
LONGEST_PAUSE = timedelta(hours=7)  # between two posts of one person, on average
NASTY_EVERY = 9


class Person(NamedTuple):
    username: str
    about_me: str = ""
    language: str = ""
    is_staff: bool = False


class Text(NamedTuple):
    body: str
    created_at: datetime


DEMO = Person("demo", "Writes a lot. Exports it all now and then.", "en")
EMPTY = Person("empty", "Only here to read.", "en")
STAFF = Person("staff", "Keeps the place tidy.", "en", is_staff=True)

OTHERS = [
    Person("ada.lindqvist", "Birds, bread and boats.", "en"),
    Person("Lucia_Ferrer", "Traductora. Café, montañas y trenes de noche.", "es"),
    Person("wei-zhang", "写代码,也写诗。", "zh-hans"),
    Person("O.Brien", "It's O'Brien, the site just has no apostrophe.", "en"),
    Person("noor", "أحب الكتب والقطط."),
    Person("K", "One letter is enough."),
    Person("kofi2004", "Football, physics <b>and</b> footnotes."),
    Person("Tomasz-W", "Zażółć gęślą jaźń."),
    Person("__mika__", "🎹 🌧️ 👩🏽‍🚀"),
    Person("paul.van.der.berg-de-jong-and-other-names-that-never-seem-to-end"),
    Person("1000lakes", "Hyvää päivää!"),
    Person("rosa.m", "Profesora de historia en Valparaíso.", "es"),
]

# With whom `demo` talks: whether `demo` says it, and what, oldest first.
TALKS: dict[str, list[tuple[bool, str]]] = {
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
    "the school band", "the moon", "a stranger on the bus", "the new lens", "grandmother's recipe", "the map",
]  # fmt: skip
VERBS = [
    "finally works", "taught me something about patience", "smells of rain", "is smaller than I remembered",
    "came back after two weeks", "deserves a longer story", "was worth the walk",
    "sounds better with the window open", "made everybody laugh", "has a will of its own",
    "looks like a painting this morning", "survived the winter", "turned out to be the best part of the day",
    "needs more salt",
]  # fmt: skip
ENDINGS = [
    ".", ".", ".", "!", "…", "?", ", and nobody told me.", ". Tomorrow the same again.", ". Pictures follow.",
    " – who would have thought.", ". #slowliving", ". 🌱", ". ☕️", ". 1 of 3, more tonight.", " (again).",
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

NASTY = [
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


def people(count: int) -> list[Person]:
    """The first `count` people who write; the first of them is `demo`."""
    named = [DEMO, *OTHERS][:count]
    return named + [Person(f"reader{number}") for number in range(len(named) + 1, count + 1)]


def follows(people: list[Person]) -> Iterator[tuple[Person, Person]]:
    """Who follows whom: `demo` the ones with a name, and everyone the few that come after them."""
    yield from ((DEMO, other) for other in people[1 : len(OTHERS) + 1])
    for place, person in enumerate(people[1:], 1):
        following = (people[(place + step) % len(people)] for step in range(1, 6))
        yield from ((person, other) for other in dict.fromkeys(following) if other != person)


def shares(people: int, posts: int) -> list[int]:
    """How many of the posts each writes: half are by the first, the others divide the rest, each less than the last."""
    if people == 1:
        return [posts]
    rest = posts // 2
    weights = [1 / place for place in range(1, people)]
    counts = [int(rest * weight / sum(weights)) for weight in weights]
    counts[0] += rest - sum(counts)
    return [posts - rest, *counts]


def texts(username: str, count: int, seed: int) -> Iterator[Text]:
    """`count` posts of one person, oldest first, all before `LATEST`; some share their moment with the one before."""
    random = Random(f"{seed}/{username}")  # noqa: S311 - nothing here is secret
    pause = min(LONGEST_PAUSE, LONGEST_HISTORY / max(count, 1))
    written_at = first = LATEST - pause * count
    for number in range(count):
        if number % 50 != 49:
            written_at = _moment(random, first + pause * (number + random.random()))
        yield Text(_body(random, number), written_at)


def _moment(random: Random, at: datetime) -> datetime:
    """`at`, at times without a fraction of a second, or with one that ends in zeros."""
    precision = random.choice((1, 1, 1, 1, 1000, 1_000_000))
    return at.replace(microsecond=at.microsecond // precision * precision)


def _body(random: Random, number: int) -> str:
    if number % NASTY_EVERY == NASTY_EVERY - 2:
        return NASTY[number // NASTY_EVERY % len(NASTY)]
    if random.random() < 0.1:
        return random.choice(SPANISH + CHINESE)
    sentences = [_sentence(random) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    return " ".join(sentences)[:MAX_POST_LENGTH]


def _sentence(random: Random) -> str:
    text = (
        random.choice(OPENINGS)
        + random.choice(SUBJECTS)
        + " "
        + random.choice(VERBS)
        + random.choice(ENDINGS)
    )
    return text[0].upper() + text[1:]
