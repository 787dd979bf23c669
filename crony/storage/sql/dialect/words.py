"""The words that statements have where databases differ.

Lists travel as one JSON array in one parameter, so that a statement is the same for
one item and for a thousand.
"""

from __future__ import annotations

from crony.storage.sql.dialect.statement import word


def each(parameter: str, name: str) -> str:
    """Return a table of the items of a list, as text, whose column is ``value``."""
    return word("each", f":{parameter}", name)


def each_number(parameter: str, name: str) -> str:
    """Return a table of the items of a list of numbers, whose column is ``value``."""
    return word("each_number", f":{parameter}", name)


def unpacked(expression: str, name: str) -> str:
    """Return a table of the items of a JSON array, as text, named as in ``each``."""
    return word("each", expression, name)


def members(expression: str, name: str) -> str:
    """Return a table of the members of a JSON object, as text: ``key``, ``value``."""
    return word("members", expression, name)


def among(parameter: str) -> str:
    """Return what comes after ``IN`` for the items of a list of text."""
    return word("among", f":{parameter}")


def among_numbers(parameter: str) -> str:
    """Return what comes after ``IN`` for the items of a list of numbers."""
    return word("among_numbers", f":{parameter}")


def part(name: str, index: int) -> str:
    """Return a part, which is text, of an item that is a list itself."""
    return word("part", name, str(index))


def part_number(name: str, index: int) -> str:
    """Return a part, which is a number, of an item that is a list itself."""
    return word("part_number", name, str(index))


def member(column: str, name: str) -> str:
    """Return a member of an object that is kept as text, as text."""
    return word("member", column, name)


def packed(column: str) -> str:
    """Return a column of all rows as one JSON array, in their order."""
    return word("packed", column)


def packed_rows(columns: str) -> str:
    """Return columns of all rows as one JSON array of arrays, in their order."""
    return word("packed_rows", columns)


def greatest(one: str, other: str) -> str:
    """Return the greater of two expressions, neither of which is NULL."""
    return word("greatest", one, other)


def least(one: str, other: str) -> str:
    """Return the lesser of two expressions, neither of which is NULL."""
    return word("least", one, other)


def flag(condition: str) -> str:
    """Return a condition as 1 or 0."""
    return word("flag", condition)


def same(one: str, other: str) -> str:
    """Return whether two expressions are equal, or are both NULL."""
    return word("same", one, other)


def place_in(text: str, part: str) -> str:
    """Return where in a text a part begins, from 1; 0 where it is not in it."""
    return word("place_in", text, part)


def by_index(name: str) -> str:
    """Return what says after a table which index is the right one.

    Only where the planner needs to be told.
    """
    return word("by_index", name)


def tables() -> str:
    """Return a table of the database's own tables, whose column is ``name``."""
    return word("tables")


def total(column: str) -> str:
    """Return the sum of a column over all rows; 0 where there are none."""
    # Databases make other numbers of it than of its parts.
    return f"CAST(coalesce(sum({column}), 0) AS BIGINT)"


def without_trigger(name: str) -> str:
    """Return the statement that removes a trigger."""
    return word("without_trigger", name)


def unique_text(table: str, column: str) -> str:
    """Return the statement by which a text, however long, is in a column once."""
    return word("unique_text", table, column)


def unique_texts(table: str, columns: str, *, short: str) -> str:
    """Return the statement by which texts, however long, are in columns once.

    Where an index can't hold them, it has the ``short`` columns alone, and whoever
    writes must have looked.
    """
    return word("unique_texts", table, columns, short)
