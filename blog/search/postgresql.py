"""Search with PostgreSQL's tsvector.

The vectors have a table of their own, because wider rows would slow down every other query on posts
and users.
"""

# ruff: noqa: S608 - table names come from `blog.search.index`

import unicodedata
from typing import TYPE_CHECKING

from .text import CJK, is_cjk

if TYPE_CHECKING:
    from .index import SearchIndex

TRIGGER_QUERY = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = %s"
MATCH_QUERY = """
    SELECT id FROM (
        SELECT id, words FROM {words} WHERE words @@ %(expression)s::tsquery
        ORDER BY id DESC LIMIT %(limit)s
    ) newest ORDER BY ts_rank(words, %(expression)s::tsquery) DESC, id DESC
"""

# ASCII punctuation is replaced first, because PostgreSQL takes 3.14, a-b and a/b for one word each,
# and SQLite for two.
VECTOR_FUNCTION = r"""
    CREATE OR REPLACE FUNCTION microblog_words(text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT to_tsvector('pg_catalog.simple'::regconfig, regexp_replace(
            translate(
                lower(regexp_replace($1, '[!-/:-@\[-`{{-~]+', ' ', 'g')), '{accented}', '{plain}'
            ),
            '([{cjk}])', ' \1 ', 'g'
        ))
    $$
"""


def install_statements(index: "SearchIndex", *, is_new: bool) -> list[str]:
    words, table = index.words_table, index.table
    accented, plain = _accents()
    create = [
        VECTOR_FUNCTION.format(accented=accented, plain=plain, cjk=CJK),
        f"CREATE TABLE {words} (id bigint PRIMARY KEY, words tsvector NOT NULL)",
        f"INSERT INTO {words} "
        f"SELECT id, microblog_words({index.text_sql('source')}) FROM {table} source",
        f"CREATE INDEX {words}_search ON {words} USING gin (words)",
    ]
    # The columns of "{row}.username || ' ' || {row}.about_me"
    columns = ", ".join(
        part.partition(".")[2] for part in index.text_template.split() if "." in part
    )
    keep = f"""
        CREATE OR REPLACE FUNCTION {words}_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                DELETE FROM {words};
            ELSIF TG_OP = 'DELETE' THEN
                DELETE FROM {words} WHERE id = OLD.id;
            ELSE
                INSERT INTO {words} VALUES (NEW.id, microblog_words({index.text_sql("NEW")}))
                ON CONFLICT (id) DO UPDATE SET words = EXCLUDED.words;
            END IF;
            RETURN NULL;
        END $$
    """
    trigger = f"CREATE OR REPLACE TRIGGER {words}"
    return [
        *(create if is_new else []),
        keep,
        f"{trigger}_emptied AFTER TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {words}_keep()",
        f"{trigger}_changed AFTER INSERT OR DELETE OR UPDATE OF {columns} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {words}_keep()",
    ]


def _accents() -> tuple[str, str]:
    """Return accented Latin letters and their plain lower-case forms, as for SQL's `translate`.

    SQLite's tokenizer strips accents by itself.
    """
    letters = {
        letter: unicodedata.normalize("NFD", letter)[0].lower()
        for letter in map(chr, range(0xC0, 0x250))
    }
    pairs = [(letter, plain) for letter, plain in letters.items() if plain.isascii()]
    return "".join(letter for letter, _plain in pairs), "".join(plain for _letter, plain in pairs)


def match_expression(words: list[list[str]]) -> str:
    """Return a tsquery: each word is a phrase of tokens, as a prefix unless it ends in CJK."""
    phrases = []
    for word in words:
        # Tokens hold letters, digits and marks only, so nothing needs escaping.
        lexemes = " <-> ".join(f"'{token}'" for token in word)
        phrases.append(f"({lexemes}{'' if is_cjk(word[-1]) else ':*'})")
    return " & ".join(phrases)
