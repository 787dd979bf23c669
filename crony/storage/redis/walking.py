"""Walks over the schedules of all tenants, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from crony import log
from crony.model.schedule import Schedule
from crony.storage.contract import Position
from crony.storage.redis.engine import Engine
from crony.storage.redis.records import Record, schedule_in

_log = log.get(__name__)

#: Tenants that are asked at a time: most have few schedules.
_AT_A_TIME = 20
#: The schedules that were told of, as many as are remembered at most.
_TOLD = 1_000
_told: set[str] = set()


def readable(tenant: str, found: Iterable[Record]) -> Iterator[Schedule]:
    """Return the schedules of records, without those that can't be read back.

    For the work that goes over the schedules of all tenants: a damaged record, or one
    of a newer release, must not stop that of the others. Each is told of once.
    """
    for record in found:
        try:
            yield schedule_in(tenant, record)
        except Exception:  # noqa: BLE001  # whatever is wrong with it
            schedule = record["record"]["id"]
            if schedule not in _told:
                if len(_told) >= _TOLD:
                    _told.clear()
                _told.add(schedule)
                _log.exception(
                    "a schedule can't be read back", tenant=tenant, schedule=schedule
                )


def walk(
    engine: Engine, *, limit: int, after: Position | None, there: bool
) -> tuple[list[tuple[str, list[Any]]], Position | None]:
    """Look at ``limit`` ids above ``after``; return what is found, by tenant, and the
    place of the last that was looked at, or ``None`` at the end.

    ``there`` finds those that have runs instead, and what is left of deleted ones.
    """
    tenant, schedule = (str(after[0]), after[1]) if after else ("", None)
    names = [name for name in engine.tenants() if name >= tenant]
    pieces: list[tuple[str, list[Any]]] = []
    last: Position | None = None

    def asked(name: str, most: int) -> dict[str, Any]:
        beyond = schedule if name == tenant else None
        return {"limit": most, "there": there, "after": beyond}

    for start in range(0, len(names), _AT_A_TIME):
        some = names[start : start + _AT_A_TIME]
        answers = engine.each("schedule_walk", [(n, asked(n, limit)) for n in some])
        for name, first in zip(some, answers, strict=True):
            answer = first
            if answer[0] > limit:
                # Those before it have left less than it was asked for.
                answer = engine.call("schedule_walk", name, **asked(name, limit))
            looked, end, found = answer
            if looked:
                last = (name, end)
                pieces.append((name, found))
                limit -= looked
            if limit <= 0:
                return pieces, last
    return pieces, None
