"""Statements that are written once, and said to each database in its own way.

Where databases differ, a statement has a *word*: its name and its parts between marks
that no SQL has. Each database's module says in ``FORMS`` what it makes of each word.
A part may have words itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from crony.storage.sql.dialect import postgresql, sqlite
from crony.storage.sql.dialect.rows import Row


class _Way(Protocol):
    """What the module of a database has."""

    @property
    def FORMS(self) -> Mapping[str, str]:  # noqa: N802  # a constant of the module
        """What it makes of each word."""

    @property
    def TALLY_TRIGGERS(self) -> Sequence[str]:  # noqa: N802
        """What makes the triggers that keep ``tallies``."""

    @property
    def TUNING(self) -> Sequence[str]:  # noqa: N802
        """What is said once to a database that has all tables."""

    @property
    def PARAMETERS(self) -> str:  # noqa: N802
        """How its driver has parameters: ``named`` or ``pyformat``, as PEP 249 says."""

    def batch(self, sql: str, rows: Sequence[Row]) -> tuple[str, Any]:
        """Return what does for each row what a statement does for one."""


_DATABASES: Mapping[str, _Way] = {"postgresql": postgresql, "sqlite": sqlite}

#: A word without a word in it.
_WORD = re.compile(r"«(\w+)((?:¦[^«»¦]*)*)»")

_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")


def word(name: str, *parts: str) -> str:
    """Return what stands in a statement for a word."""
    return f"«{'¦'.join((name, *parts))}»"


@cache
def say(text: str, database: str) -> str:
    """Return the text of a statement, or of a part of one, for a database."""
    forms = _DATABASES[database].FORMS

    def said(found: re.Match[str]) -> str:
        return forms[found[1]].format(*found[2].split("¦")[1:])

    while "«" in text:
        text = _WORD.sub(said, text)
    return text


def tally_triggers(database: str) -> Sequence[str]:
    """Return what makes the triggers that keep ``tallies``."""
    return _DATABASES[database].TALLY_TRIGGERS


def tuning(database: str) -> Sequence[str]:
    """Return what is said once to a database that has all tables."""
    return _DATABASES[database].TUNING


class Statement:
    """SQL with words, and with parameters as ``:name``."""

    __slots__ = ("_names", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._names = frozenset(_PARAMETER.findall(text))

    def said(self, database: str) -> str:
        """Return it as the database's driver takes it."""
        return _for_driver(say(self.text, database), database)

    def taking(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the values that it has parameters for."""
        return {name: values[name] for name in self._names}


def text(sql: str) -> Statement:
    """Return a statement."""
    return Statement(sql)


def batch(statement: Statement, rows: Sequence[Row], database: str) -> tuple[str, Any]:
    """Return the text, and the parameters, that a database's driver itself takes to do
    for each row what the statement does for one."""
    said, given = _DATABASES[database].batch(say(statement.text, database), rows)
    return _for_driver(said, database), given


def _for_driver(sql: str, database: str) -> str:
    """Return SQL with the parameters as the database's driver has them."""
    return sql if _DATABASES[database].PARAMETERS == "named" else _in_pyformat(sql)


@cache
def _in_pyformat(sql: str) -> str:
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))
