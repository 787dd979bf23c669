"""Lists of schedules and runs: looks at one index after another piece of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, RunState
from crony.storage.codec import instant_out, maybe_instant_out
from crony.storage.contract import Page, Position, RunQuery, ScheduleQuery
from crony.storage.redis.engine import Engine
from crony.storage.redis.layout import sortable
from crony.storage.redis.paging import page_of
from crony.storage.redis.records import Reader, schedule_in

#: The index of each order of schedules.
_ORDERS = {"name": "by:name", "next_run_at": "by:next", "created_at": "by:created"}


def schedule_page(
    engine: Engine,
    tenant: str,
    query: ScheduleQuery,
    *,
    limit: int,
    after: Position | None,
) -> Page[Schedule]:
    """Return the schedules that match, in the order of the query."""
    asked = {
        "group": query.group,
        "queue": query.queue,
        "label": query.label,
        "state": query.state,
        "trigger": query.trigger,
        "text": query.text.lower() if query.text else None,
        "failing": query.failing,
    }
    found: list[Any] = []
    place = None if after is None else _schedule_place(query.sort, after)
    while True:
        piece = engine.call(
            "schedule_page",
            tenant,
            by=_ORDERS[query.sort],
            query=asked,
            after=place,
            limit=limit - len(found),
        )
        found += piece["found"]
        place = piece.get("next")
        if len(found) > limit or place is None:
            break
    return page_of(
        found,
        limit=limit,
        read=lambda each: schedule_in(tenant, each),
        place=lambda schedule: (_value(query.sort, schedule), schedule.id),
    )


def _value(sort: str, schedule: Schedule) -> str | int | None:
    if sort == "name":
        return schedule.definition.name
    if sort == "next_run_at":
        return maybe_instant_out(schedule.cursor)
    return instant_out(schedule.created_at)


def _schedule_place(sort: str, after: Position) -> str:
    """Return the member of the index at which a list goes on."""
    value, schedule = after
    if value is None:
        return "1" + schedule
    if sort == "name":
        return f"0{value}\0{schedule}"
    return f"0{sortable(int(value))}{schedule}"


def run_page(
    engine: Engine,
    reader: Reader,
    tenant: str,
    query: RunQuery,
    *,
    limit: int,
    after: Position | None,
) -> Page[Run]:
    """Return summaries of the runs that match, in the order of the query."""
    low, high = _bounds(query)
    asked = {
        "schedule": query.schedule,
        "group": query.group,
        "origin": query.origin,
        "parent": query.parent,
        "states": {state.value: True for state in query.states} or None,
        "worker": query.worker,
    }
    place = None if after is None else f"{sortable(int(after[0] or 0))}{after[1]}"
    found: list[Any] = []
    while True:
        if place is not None and query.oldest_first:
            low = "(" + place
        elif place is not None:
            high = "(" + place
        piece = engine.call(
            "run_page",
            tenant,
            keys=_keys(query),
            low=low,
            high=high,
            reverse=not query.oldest_first,
            query=asked,
            limit=limit - len(found),
        )
        found += piece["found"]
        place = piece.get("next")
        if len(found) > limit or place is None:
            break
    runs = reader.runs(tenant, found)
    return page_of(
        runs,
        limit=limit,
        read=lambda run: run,
        place=lambda run: (instant_out(run.scheduled_for), run.id),
    )


def _keys(query: RunQuery) -> Sequence[str]:
    """Return the indexes that hold all that matches, and the least beside."""
    if query.parent is not None:
        return [f"children:{query.parent}"]
    if query.schedule is not None:
        of = f"schedule:{query.schedule}"
        if query.origin is None:
            return [f"{of}:runs", f"{of}:hooks"]
        return [f"{of}:hooks" if query.origin is Origin.HOOK else f"{of}:runs"]
    if query.worker is not None:
        return [f"runs:of:{query.worker}"]
    return [f"runs:{state.value}" for state in sorted(query.states or RunState)]


def _bounds(query: RunQuery) -> tuple[str, str]:
    return _from(query.since, "-"), _from(query.until, "+")


def _from(instant: datetime | None, without: str) -> str:
    """Return the bound before all that is planned at an instant or later."""
    return without if instant is None else "[" + sortable(instant_out(instant))
