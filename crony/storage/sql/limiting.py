"""Limits of schedules that change apart from their definitions, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crony.storage.contract import Creation
from crony.storage.sql import rows
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import each, text

_LIMITS = text(
    "SELECT s.id, s.max_concurrent, s.revision, s.state"
    f" FROM {each('schedules', 'j')} JOIN schedules s ON s.id = j.value"
)
_LIMIT = text("UPDATE schedules SET max_concurrent = :limit WHERE id = :id")


def others(connection: Connection, batch: Sequence[Creation]) -> Mapping[str, int]:
    """Return the limits of those that are stored at that revision with another."""
    given = {item.schedule.id: item for item in batch}
    return {
        id: given[id].limit
        for id, limit, revision, state in connection.execute(
            _LIMITS, {"schedules": rows.ids(given)}
        )
        if state != "deleted"
        and revision == given[id].schedule.revision
        and limit != given[id].limit
    }


def change(connection: Connection, limits: Mapping[str, int]) -> None:
    """Give schedules other limits, where they are other ones."""
    asked = {"schedules": rows.ids(limits)}
    known = {row[0]: row[1] for row in connection.execute(_LIMITS, asked)}
    changed = {name: new for name, new in limits.items() if known[name] != new}
    write(connection, changed)


def write(connection: Connection, limits: Mapping[str, int]) -> None:
    """Give schedules these limits; they are to be admitted anew."""
    values = [{"id": name, "limit": limit} for name, limit in limits.items()]
    connection.execute_each(_LIMIT, values)
