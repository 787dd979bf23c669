"""A connection to a database, and what it answers.

PERF: statements go to the database's driver as they are written, and rows come back as
its tuples. A statement of the hot path takes some tens of microseconds; to have a layer
between work out what its answer looks like, each time anew, takes several times that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from crony.storage.sql.dialect import Statement, batch

Columns = tuple[Any, ...]

#: What a statement is given, by name.
Parameters = dict[str, Any]


class Cursor(Protocol):
    """What drivers have in common."""

    def execute(self, sql: str, given: Any = ..., /) -> object:
        """Run a statement."""

    def executemany(self, sql: str, given: Any, /) -> object:
        """Run a statement once for each of what is given."""

    def fetchall(self) -> list[Columns]:
        """Return all rows that are left."""


class Answer:
    """The rows that a statement returned; they are read once."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def __iter__(self) -> Iterator[Columns]:
        return iter(self._cursor.fetchall())

    def all(self) -> list[Columns]:
        """Return all rows."""
        return self._cursor.fetchall()

    def first(self) -> Columns | None:
        """Return the first row, if there is one."""
        found = self._cursor.fetchall()
        return found[0] if found else None

    def one(self) -> Columns:
        """Return the only row."""
        (found,) = self._cursor.fetchall()
        return found

    def scalar(self) -> Any:
        """Return the first column of the first row, ``None`` where there is none."""
        found = self.first()
        return None if found is None else found[0]

    def scalar_one(self) -> Any:
        """Return the first column of the only row."""
        return self.one()[0]

    def scalars(self) -> list[Any]:
        """Return the first column of all rows."""
        return [row[0] for row in self._cursor.fetchall()]


class Connection:
    """One connection, as long as somebody has it; ``database`` is a dialect's name."""

    __slots__ = ("_make_cursor", "database", "driver")

    def __init__(self, driver: Any, database: str) -> None:
        #: The driver's own connection.
        self.driver = driver
        self.database = database
        self._make_cursor = driver.cursor

    def execute(
        self, statement: Statement, given: Mapping[str, Any] | None = None
    ) -> Answer:
        """Run a statement with its parameters."""
        return self._send(statement.said(self.database), given or {})

    def execute_each(
        self, statement: Statement, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Run a statement once for each row of parameters."""
        if rows:
            self._send(*batch(statement, rows, self.database))

    def command(self, sql: str) -> Answer:
        """Run the database's own SQL, which may be several statements."""
        return self._send(sql, None)

    def _send(self, sql: str, given: Any) -> Answer:
        cursor = self._make_cursor()
        if given is None:
            cursor.execute(sql)
        elif isinstance(given, Mapping):
            cursor.execute(sql, given)
        else:
            cursor.executemany(sql, given)
        return Answer(cursor)
