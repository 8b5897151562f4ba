"""The database's clock, for rows that are put in order."""

from typing import Any

from django.db.models.functions import Now
from django.db.models.sql.compiler import SQLCompiler


class Moment(Now):
    """Now, on SQLite with as many digits as Django writes: there moments are compared as text."""

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **context: Any) -> Any:
        template = "STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'NOW')"
        return self.as_sql(compiler, connection, template=template, **context)
