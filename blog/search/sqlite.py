"""Search with SQLite's FTS5.

The index is contentless: it stores no text, and removing a row takes the very words indexed for it.
"""

# ruff: noqa: S608 - table names come from `blog.search.index`

from .text import is_cjk

COLUMNS_QUERY = "SELECT name FROM pragma_table_info(%s)"
TRIGGERS_QUERY = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s"
TRIGGERS: tuple[str, ...] = ("added", "removed", "changed")
KEYS_TABLE = "{words}_docsize"  # one of FTS5's own tables
MATCH_QUERY = """
    SELECT rowid FROM (
        SELECT rowid, rank AS match_rank FROM {words} WHERE {words} MATCH %(expression)s
        ORDER BY rowid DESC LIMIT %(limit)s
    ) ORDER BY match_rank, rowid DESC
"""


def build_statements(table: str, words: str) -> list[str]:
    """Return SQL that builds the index anew.

    A contentless index cannot be repaired: to remove a row takes the words that were indexed.
    """
    add = (
        f"INSERT INTO {words} (rowid, text) SELECT NEW.id, NEW.search_text "
        "WHERE NEW.search_text IS NOT NULL;"
    )
    remove = (
        f"INSERT INTO {words} ({words}, rowid, text) SELECT 'delete', OLD.id, OLD.search_text "
        "WHERE OLD.search_text IS NOT NULL;"
    )
    # The tokenizer "ascii" splits at spaces and changes no letter: the words are normalised.
    create = f"CREATE VIRTUAL TABLE {words} USING fts5(text, content='', tokenize='ascii')"
    fill = (
        f"INSERT INTO {words} (rowid, text) "
        f"SELECT id, search_text FROM {table} WHERE search_text IS NOT NULL"
    )
    trigger = f"CREATE TRIGGER {words}"
    return [
        *(f"DROP TRIGGER IF EXISTS {words}_{name}" for name in TRIGGERS),
        f"DROP TABLE IF EXISTS {words}",
        create,
        fill,
        f"{trigger}_added AFTER INSERT ON {table} BEGIN {add} END",
        f"{trigger}_removed AFTER DELETE ON {table} BEGIN {remove} END",
        f"{trigger}_changed AFTER UPDATE OF search_text ON {table} "
        f"WHEN OLD.search_text IS NOT NEW.search_text BEGIN {remove} {add} END",
    ]


def match_expression(words: list[list[str]]) -> str:
    """Return an FTS5 query: each word is a phrase of tokens, as a prefix unless it ends in CJK."""
    return " AND ".join(f'"{" ".join(word)}"{"" if is_cjk(word[-1]) else "*"}' for word in words)
