"""Search with PostgreSQL's tsvector.

The vectors have a table of their own, because wider rows would slow down every other query on posts
and users.
"""

# ruff: noqa: S608 - table names come from `blog.search.index`

from .text import is_cjk

COLUMNS_QUERY = (
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND NOT attisdropped"
)
TRIGGERS_QUERY = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass"
TRIGGERS: tuple[str, ...] = ("changed", "emptied")
KEYS_TABLE = "{words}"
MATCH_QUERY = """
    SELECT id FROM (
        SELECT id, words FROM {words} WHERE words @@ %(expression)s::tsquery
        ORDER BY id DESC LIMIT %(limit)s
    ) newest ORDER BY ts_rank(words, %(expression)s::tsquery) DESC, id DESC
"""

# The words are split already. PostgreSQL's own parser splits by the locale, and takes 3.14, a-b and
# a/b for one word each. 16383 is the last position that a tsvector can hold.
VECTOR_FUNCTION = """
    CREATE OR REPLACE FUNCTION microblog_words(text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT coalesce(
            string_agg(quote_literal(word) || ':' || least(position, 16383), ' '), ''
        )::tsvector
        FROM unnest(string_to_array($1, ' ')) WITH ORDINALITY AS words (word, position)
        WHERE word <> ''
    $$
"""


def build_statements(table: str, words: str) -> list[str]:
    """Return SQL that builds the index, or changes those of its rows that are wrong."""
    indexed = f"FROM {table} WHERE search_text IS NOT NULL"
    fill = f"""
        INSERT INTO {words} AS old SELECT id, microblog_words(search_text) {indexed}
        ON CONFLICT (id) DO UPDATE SET words = EXCLUDED.words WHERE old.words <> EXCLUDED.words
    """
    keep = f"""
        CREATE OR REPLACE FUNCTION {words}_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                DELETE FROM {words};
            ELSIF TG_OP = 'DELETE' OR NEW.search_text IS NULL THEN
                DELETE FROM {words} WHERE id = OLD.id;
            ELSIF TG_OP = 'INSERT' OR NEW.search_text IS DISTINCT FROM OLD.search_text THEN
                INSERT INTO {words} VALUES (NEW.id, microblog_words(NEW.search_text))
                ON CONFLICT (id) DO UPDATE SET words = EXCLUDED.words;
            END IF;
            RETURN NULL;
        END $$
    """
    trigger = f"CREATE OR REPLACE TRIGGER {words}"
    return [
        f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE",
        VECTOR_FUNCTION,
        f"CREATE TABLE IF NOT EXISTS {words} (id bigint PRIMARY KEY, words tsvector NOT NULL)",
        f"DELETE FROM {words} WHERE id NOT IN (SELECT id {indexed})",
        fill,
        f"CREATE INDEX IF NOT EXISTS {words}_search ON {words} USING gin (words)",
        keep,
        f"{trigger}_emptied AFTER TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {words}_keep()",
        f"{trigger}_changed AFTER INSERT OR DELETE OR UPDATE OF search_text ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {words}_keep()",
    ]


def match_expression(words: list[list[str]]) -> str:
    """Return a tsquery: each word is a phrase of tokens, as a prefix unless it ends in CJK."""
    phrases = []
    for word in words:
        # Tokens hold letters, digits and marks only, so nothing needs escaping.
        lexemes = " <-> ".join(f"'{token}'" for token in word)
        phrases.append(f"({lexemes}{'' if is_cjk(word[-1]) else ':*'})")
    return " & ".join(phrases)
