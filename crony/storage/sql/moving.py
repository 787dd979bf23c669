"""Schedules and runs that move from one store to another, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from crony import errors
from crony.model.moving import MovedRun, MovedSchedule
from crony.storage.contract import Moving, Page, Position
from crony.storage.sql import arriving, departing, places
from crony.storage.sql.admission import admit
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import text
from crony.storage.sql.noun import Noun

_Item = TypeVar("_Item", MovedSchedule, MovedRun)

#: The index holds what has ``id > ''``. As another bound on the id it would be SQLite's
#: range, so the one that counts is that of the pair.
_BEYOND = (
    " WHERE id > '' AND (tenant, id) > (:tenant, :after) AND tenant <= :tenant"
    " ORDER BY tenant, id LIMIT :limit"
)
_SCHEDULES = text(f"SELECT id FROM schedules{_BEYOND}")
_RUNS = text(f"SELECT id FROM runs{_BEYOND}")


class SqlMoving(Noun, Moving):
    """What moves, out of all tables and into them."""

    def schedules(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[MovedSchedule]:
        asked = {"tenant": tenant, "after": _last(after), "limit": limit + 1}
        with self._database.snapshot() as connection:
            found = connection.execute(_SCHEDULES, asked).scalars()
            names = found[:limit]
            items = departing.schedules(connection, tenant, names)
        return Page(items, _next(found, limit))

    def runs(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[MovedRun]:
        asked = {"tenant": tenant, "after": _last(after), "limit": limit + 1}
        with self._database.snapshot() as connection:
            found = connection.execute(_RUNS, asked).scalars()
            items = departing.runs(connection, found[:limit])
        return Page(items, _next(found, limit))

    def put_schedules(self, items: Sequence[MovedSchedule]) -> Sequence[bool]:
        with self._database.writing(*{item.tenant for item in items}) as connection:
            stored, refusal = _each(connection, items, arriving.schedule)
            admit(connection, _named(items, stored, lambda item: item.id))
        if refusal is not None:
            raise refusal
        return stored

    def put_runs(self, items: Sequence[MovedRun]) -> Sequence[bool]:
        with self._database.writing(*{item.run.tenant for item in items}) as connection:
            stored, refusal = _each(connection, items, arriving.run)
            admit(connection, _named(items, stored, lambda item: item.run.schedule))
        if refusal is not None:
            raise refusal
        return stored

    def remove_runs(self, tenant: str, runs: Sequence[str]) -> int:
        with self._database.writing(tenant) as connection:
            if not places.is_held(connection, tenant):
                return 0
            gone = arriving.replaceable(connection, tenant, runs)
            arriving.remove(connection, gone)
            admit(connection, set(gone.values()))
            return len(gone)


def _last(after: Position | None) -> str:
    return "" if after is None else after[1]


def _next(found: Sequence[str], limit: int) -> Position | None:
    return (found[limit - 1], found[limit - 1]) if len(found) > limit else None


def _each(
    connection: Connection,
    items: Sequence[_Item],
    put: Callable[[Connection, _Item], bool],
) -> tuple[list[bool], errors.CronyError | None]:
    """Store items one after the other, up to the first that is refused."""
    stored: list[bool] = []
    for item in items:
        try:
            stored.append(put(connection, item))
        except (errors.NameTaken, errors.NotFound) as exc:
            # It is refused before anything of it is written.
            return stored, exc
    return stored, None


def _named(
    items: Sequence[_Item], stored: Sequence[bool], name: Callable[[_Item], str]
) -> set[str]:
    """Return the schedules whose runs are to be admitted anew."""
    return {name(item) for item, counted in zip(items, stored, strict=False) if counted}
