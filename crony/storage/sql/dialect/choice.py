"""One of several values, as a condition."""

from __future__ import annotations


def one_of(column: str, *values: str) -> str:
    """Return the condition that a column has one of some values.

    For what an index or a trigger says of its rows, and for the statements that are to
    go by that index, which must say it in the same words.
    """
    # PERF: of a list of three or more SQLite makes a table, anew for each row that is
    # written, and for each index and trigger that has such a list.
    same = (f"{column} = '{value}'" for value in values)
    return f"({' OR '.join(same)})"
