"""Search with SQLite's FTS5.

The index is contentless: it stores no text, and removing a row takes the very words indexed for it.
"""

# ruff: noqa: S608 - table names come from `blog.search.index`

from typing import TYPE_CHECKING

from .text import CJK, is_cjk

if TYPE_CHECKING:
    from .index import SearchIndex

TRIGGER_QUERY = (
    "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s AND name = %s"
)
MATCH_QUERY = """
    SELECT rowid FROM (
        SELECT rowid, rank AS match_rank FROM {words} WHERE {words} MATCH %(expression)s
        ORDER BY rowid DESC LIMIT %(limit)s
    ) ORDER BY match_rank, rowid DESC
"""


def install_statements(index: "SearchIndex", *, is_new: bool) -> list[str]:
    words, table = index.words_table, index.table
    old, new, row = (_spaced_cjk(index.text_sql(alias)) for alias in ("OLD", "NEW", "source"))
    add = f"INSERT INTO {words} (rowid, text) VALUES (NEW.id, {new});"
    remove = f"INSERT INTO {words} ({words}, rowid, text) VALUES ('delete', OLD.id, {old});"
    is_changed = f"{index.text_sql('OLD')} <> {index.text_sql('NEW')}"
    create = (
        f"CREATE VIRTUAL TABLE {words} "
        "USING fts5(text, content='', tokenize='unicode61 remove_diacritics 2')"
    )
    fill = f"INSERT INTO {words} (rowid, text) SELECT id, {row} FROM {table} source"
    trigger = f"CREATE TRIGGER IF NOT EXISTS {words}"
    return [
        *([create, fill] if is_new else []),
        f"{trigger}_added AFTER INSERT ON {table} BEGIN {add} END",
        f"{trigger}_removed AFTER DELETE ON {table} BEGIN {remove} END",
        f"{trigger}_changed AFTER UPDATE ON {table} WHEN {is_changed} BEGIN {remove} {add} END",
    ]


def _spaced_cjk(text: str) -> str:
    """Return SQL for the text with spaces around each CJK character; other texts are untouched."""
    letter = f"substr({text}, place + 1, 1)"
    return (
        f"CASE WHEN {text} GLOB '*[{CJK}]*' THEN ("
        f"WITH RECURSIVE letter(place, text) AS (SELECT 0, '' UNION ALL "
        f"SELECT place + 1, "
        f"CASE WHEN {letter} GLOB '[{CJK}]' THEN ' ' || {letter} || ' ' ELSE {letter} END "
        f"FROM letter WHERE place < length({text})) "
        f"SELECT group_concat(text, '') FROM letter) ELSE {text} END"
    )


def match_expression(words: list[list[str]]) -> str:
    """Return an FTS5 query: each word is a phrase of tokens, as a prefix unless it ends in CJK."""
    return " AND ".join(f'"{" ".join(word)}"{"" if is_cjk(word[-1]) else "*"}' for word in words)
