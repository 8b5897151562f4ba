"""The full-text index of posts and people: a table of words beside each, which the database keeps up by triggers.

Chinese, Japanese and Korean characters are words of their own: neither database finds a word of two of them inside a
sentence otherwise. Case and the accents of Latin letters do not count.
"""

# ruff: noqa: S608 - the names in the SQL are those of our own tables

import unicodedata
from typing import Any, NamedTuple

from django.apps import AppConfig
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

# Radicals, kana, bopomofo, ideographs, hangul; the ones in between are rare, and part of words as letters are.
CJK = "\u2e80-\u2fdf\u3040-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"


def _accents() -> tuple[str, str]:
    """Latin letters with an accent, and the small ones without; SQLite's tokenizer knows them by itself."""
    letters = {
        letter: unicodedata.normalize("NFD", letter)[0].lower()
        for letter in map(chr, range(0xC0, 0x250))
    }
    pairs = [(letter, plain) for letter, plain in letters.items() if plain.isascii()]
    return "".join(letter for letter, _plain in pairs), "".join(plain for _letter, plain in pairs)


class Indexed(NamedTuple):
    """A table, and the text of its rows as SQL; `{row}` stands for one of them."""

    table: str
    text: str

    @property
    def words(self) -> str:
        return f"{self.table}_words"

    def text_of(self, row: str) -> str:
        return self.text.format(row=row)


POSTS = Indexed("blog_post", "{row}.body")
PEOPLE = Indexed("blog_user", "{row}.username || ' ' || {row}.about_me")


def install(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """After each `migrate`: what is missing of tables and triggers, which SQLite forgets when it rebuilds a table."""
    connection = connections[using]
    statements = _sqlite if connection.vendor == "sqlite" else _postgresql
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for indexed in (POSTS, PEOPLE):
            if not _is_complete(connection, indexed):
                for statement in statements(
                    indexed, is_new=indexed.words not in _tables(connection)
                ):
                    cursor.execute(statement)


def _tables(connection: BaseDatabaseWrapper) -> list[str]:
    return connection.introspection.table_names()


def _is_complete(connection: BaseDatabaseWrapper, indexed: Indexed) -> bool:
    catalogue = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s AND name = %s"
    )
    if connection.vendor == "postgresql":
        catalogue = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = %s"
    with connection.cursor() as cursor:
        cursor.execute(catalogue, [indexed.table, f"{indexed.words}_changed"])
        return cursor.fetchone() is not None


# SQLite: FTS5 that stores no text. Taking a row out needs the very words that went in.


def _sqlite(indexed: Indexed, *, is_new: bool) -> list[str]:
    words = indexed.words
    old, new, row = (_apart(indexed.text_of(name)) for name in ("OLD", "NEW", "source"))
    put = f"INSERT INTO {words} (rowid, text) VALUES (NEW.id, {new});"
    take = f"INSERT INTO {words} ({words}, rowid, text) VALUES ('delete', OLD.id, {old});"
    changed = f"{indexed.text_of('OLD')} <> {indexed.text_of('NEW')}"
    table = f"CREATE VIRTUAL TABLE {words} USING fts5(text, content='', tokenize='unicode61 remove_diacritics 2')"
    fill = f"INSERT INTO {words} (rowid, text) SELECT id, {row} FROM {indexed.table} source"
    return [
        *([table, fill] if is_new else []),
        f"CREATE TRIGGER IF NOT EXISTS {words}_added AFTER INSERT ON {indexed.table} BEGIN {put} END",
        f"CREATE TRIGGER IF NOT EXISTS {words}_removed AFTER DELETE ON {indexed.table} BEGIN {take} END",
        f"CREATE TRIGGER IF NOT EXISTS {words}_changed AFTER UPDATE ON {indexed.table} "
        f"WHEN {changed} BEGIN {take} {put} END",
    ]


def _apart(text: str) -> str:
    """SQL for the text with spaces around each such character; texts without any are left alone."""
    letter = f"substr({text}, place + 1, 1)"
    return (
        f"CASE WHEN {text} GLOB '*[{CJK}]*' THEN ("
        f"WITH RECURSIVE letter(place, text) AS (SELECT 0, '' UNION ALL "
        f"SELECT place + 1, CASE WHEN {letter} GLOB '[{CJK}]' THEN ' ' || {letter} || ' ' ELSE {letter} END "
        f"FROM letter WHERE place < length({text})) SELECT group_concat(text, '') FROM letter) ELSE {text} END"
    )


# PostgreSQL: a table of its own, because words beside the text would make every other reading of it slower.


def _postgresql(indexed: Indexed, *, is_new: bool) -> list[str]:
    words = indexed.words
    vector = f"microblog_words({indexed.text_of('NEW')})"
    fill = f"INSERT INTO {words} SELECT id, microblog_words({indexed.text_of('source')}) FROM {indexed.table} source"
    made = [
        _FUNCTION.format(accents=_accents()[0], plain=_accents()[1], cjk=CJK),
        f"CREATE TABLE {words} (id bigint PRIMARY KEY, words tsvector NOT NULL)",
        fill,
        f"CREATE INDEX {words}_search ON {words} USING gin (words)",
    ]
    columns = ", ".join(part.partition(".")[2] for part in indexed.text.split() if "." in part)
    keep = f"""
        CREATE OR REPLACE FUNCTION {words}_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                DELETE FROM {words};
            ELSIF TG_OP = 'DELETE' THEN
                DELETE FROM {words} WHERE id = OLD.id;
            ELSE
                INSERT INTO {words} VALUES (NEW.id, {vector})
                ON CONFLICT (id) DO UPDATE SET words = EXCLUDED.words;
            END IF;
            RETURN NULL;
        END $$
    """
    on = f"ON {indexed.table} FOR EACH"
    return [
        *(made if is_new else []),
        keep,
        f"CREATE OR REPLACE TRIGGER {words}_emptied AFTER TRUNCATE {on} STATEMENT EXECUTE FUNCTION {words}_keep()",
        f"CREATE OR REPLACE TRIGGER {words}_changed AFTER INSERT OR DELETE OR UPDATE OF {columns} {on} ROW "
        f"EXECUTE FUNCTION {words}_keep()",
    ]


# ASCII's punctuation first, because PostgreSQL takes 3.14, a-b and a/b for one word each, and SQLite for two.
_FUNCTION = r"""
    CREATE OR REPLACE FUNCTION microblog_words(text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT to_tsvector('pg_catalog.simple'::regconfig, regexp_replace(
            translate(lower(regexp_replace($1, '[!-/:-@\[-`{{-~]+', ' ', 'g')), '{accents}', '{plain}'),
            '([{cjk}])', ' \1 ', 'g'
        ))
    $$
"""
