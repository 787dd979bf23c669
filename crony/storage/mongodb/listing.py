"""Pages of schedules and runs.

A page is a range of an index, from where the last one ended. Runs come from an index
by state, so that a rare state is found in a long history, unless they are asked for by
what is rarer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from crony.model.group import DEFAULT_GROUP
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, RunState
from crony.storage.codec import instant_out
from crony.storage.contract import Page, Position, RunQuery, ScheduleQuery
from crony.storage.documents import Document
from crony.storage.mongodb import kinds, records
from crony.storage.mongodb.matching import Filter
from crony.storage.mongodb.schedule_documents import NAMELESS, NEVER, schedule_in
from crony.storage.mongodb.work import Work, id_of

#: What a list of schedules is sorted by, and what stands for its absence.
_SORTS: Mapping[str, tuple[str, str | int]] = {
    "name": ("name", NAMELESS),
    "next_run_at": ("next_at", NEVER),
    "created_at": ("created_at", NEVER),
}

#: So many schedules are looked at at once for those that fail.
_PIECE = 200


def schedules(
    work: Work, query: ScheduleQuery, *, limit: int, after: Position | None
) -> Page[Schedule]:
    """Return a page of schedules."""
    member, nothing = _SORTS[query.sort]
    place = after
    if after is not None and after[0] is None:
        place = (nothing, after[1])
    found: list[Document] = []
    for document in _walked(work, query, member, place, most=limit + 1):
        found.append(document)
        if len(found) > limit:
            break
    last = found[limit - 1] if len(found) > limit > 0 else None
    items = tuple(schedule_in(document) for document in found[:limit])
    if last is None:
        return Page(items, None)
    value = cast("str | int", last[member])
    return Page(items, (None if value == nothing else value, id_of(last)))


def _walked(
    work: Work,
    query: ScheduleQuery,
    member: str,
    place: Position | None,
    *,
    most: int,
) -> Iterator[Document]:
    """Meet the schedules that match, from a place on."""
    where = _schedule_conditions(query)
    size = most if query.failing is None else max(most, _PIECE)
    while True:
        pieces: list[Document] = [{member: {"$exists": True}}]
        if place is not None:
            pieces = [
                {member: place[0], "id": {"$gt": place[1]}},
                {member: {"$gt": place[0]}},
            ]
        found: list[Document] = []
        for piece in pieces:
            found += work.find(
                kinds.SCHEDULES,
                {"there": True, "$and": [piece, where]},
                sort=[(member, 1), ("id", 1)],
                limit=size - len(found),
                index=_index(query, member),
            )
        yield from _of_failing(work, found, query)
        if len(found) < size:
            return
        last = found[-1]
        place = (cast("str | int", last[member]), id_of(last))


def _index(query: ScheduleQuery, member: str) -> str:
    """Return the index that has least of others; most are of the default group."""
    if query.group in (None, DEFAULT_GROUP):
        return f"by_{member}"
    return "by_group"


def _schedule_conditions(query: ScheduleQuery) -> Document:
    """Return what schedules say that match, apart from how their runs ended."""
    where: Document = {}
    for member in ("group", "queue", "state", "trigger"):
        value = getattr(query, member)
        if value is not None:
            where[member] = str(value)
    if query.label is not None:
        where["labels"] = "=".join(query.label)
    if query.text:
        where["name"] = {
            "$regex": re.escape(query.text),
            "$options": "i",
            "$ne": NAMELESS,
        }
    return where


def _of_failing(
    work: Work, found: Sequence[Document], query: ScheduleQuery
) -> Iterable[Document]:
    """Return the schedules whose newest run that executed did not succeed, or did."""
    if query.failing is None:
        return found
    newest = work.find_each(
        kinds.RUNS,
        "schedule",
        [id_of(document) for document in found],
        {"executed_for": {"$exists": True}},
        sort=[("executed_for", -1), ("id", -1)],
        limit=1,
        fields=["state", "schedule", "executed_for"],
    )
    return [
        document
        for document in found
        if query.failing
        == any(
            run["state"] != RunState.SUCCEEDED.value for run in newest[id_of(document)]
        )
    ]


def runs(
    work: Work, query: RunQuery, *, limit: int, after: Position | None
) -> Page[Run]:
    """Return a page of runs, as summaries."""
    direction = 1 if query.oldest_first else -1
    where, index = _run_conditions(query)
    found: list[Document] = []
    for piece in _ranges(query, after):
        found += work.find(
            kinds.RUNS,
            {**where, **piece},
            sort=[("scheduled_for", direction), ("id", direction)],
            limit=limit + 1 - len(found),
            fields=records.SUMMARY,
            index=index,
        )
    last = found[limit - 1] if len(found) > limit > 0 else None
    return Page(
        tuple(records.summary_in(document) for document in found[:limit]),
        None if last is None else (cast("int", last["scheduled_for"]), id_of(last)),
    )


def _ranges(query: RunQuery, after: Position | None) -> list[Document]:
    """Return the ranges of instants that a page is of, in order."""
    bounds: Document = {"$exists": True}
    if query.since is not None:
        bounds["$gte"] = instant_out(query.since)
    if query.until is not None:
        bounds["$lt"] = instant_out(query.until)
    if after is None:
        return [{"scheduled_for": bounds}]
    at = cast("int", after[0])
    beyond = "$gt" if query.oldest_first else "$lt"
    if beyond == "$gt":
        bounds.pop("$gte", None)
    return [
        {"scheduled_for": at, "id": {beyond: after[1]}},
        {"scheduled_for": {**bounds, beyond: at}},
    ]


def _run_conditions(query: RunQuery) -> tuple[Document, str]:
    """Return what runs say that match, and the index that has least of others."""
    where: Document = {}
    for member in ("schedule", "worker", "parent", "group", "origin"):
        value = getattr(query, member)
        if value is not None:
            where[member] = str(value)
    states = sorted(state.value for state in query.states)
    if states:
        where["state"] = {"$in": states}
    for member in ("schedule", "parent", "worker"):
        if member in where:
            return where, f"by_{member}"
    if len(states) != 1:
        if query.group not in (None, DEFAULT_GROUP):
            where["grouped"] = where.pop("group")
            return where, "by_group"
        if query.origin not in (None, Origin.SCHEDULE):
            where["made_by"] = where.pop("origin")
            return where, "by_origin"
    where.setdefault("state", {"$in": sorted(state.value for state in RunState)})
    return where, "by_state"


def recent(
    work: Work, schedules: Sequence[str], *, limit: int
) -> Mapping[str, Sequence[Run]]:
    """Return the newest runs of each schedule that has any, as summaries."""
    found = work.find_each(
        kinds.RUNS,
        "schedule",
        list(dict.fromkeys(schedules)),
        {"shown_for": {"$exists": True}},
        sort=[("shown_for", -1), ("id", -1)],
        limit=limit,
        fields=records.SUMMARY,
    )
    return {
        schedule: [records.summary_in(document) for document in of]
        for schedule, of in found.items()
        if of
    }


def with_unconfirmed(
    work: Work, where: Filter, *, limit: int, after: str | None
) -> Sequence[str]:
    """Return the schedules of pending or leased runs that say this, by id."""
    return _schedules_of(
        work,
        [
            {"state": RunState.PENDING.value, **where},
            {"holder": {"$gt": ""}, "state": RunState.LEASED.value, **where},
        ],
        limit=limit,
        after=after,
    )


def unfinished(work: Work, *, limit: int, after: str | None) -> Sequence[Schedule]:
    """Return the schedules with unfinished runs, hooks' apart, by id."""
    mine = {"origin": {"$ne": Origin.HOOK.value}}
    found: list[Schedule] = []
    while len(found) < limit:
        names = _schedules_of(
            work,
            [
                {"state": RunState.PENDING.value, **mine},
                {"holder": {"$gt": ""}, **mine},
            ],
            limit=limit,
            after=after,
        )
        there = work.get_all(kinds.SCHEDULES, names)
        found += [
            schedule_in(there[name])
            for name in names
            if name in there and there[name]["there"]
        ]
        if len(names) < limit:
            break
        after = names[-1]
    return tuple(found[:limit])


def _schedules_of(
    work: Work, wheres: Sequence[Filter], *, limit: int, after: str | None
) -> list[str]:
    """Return the first schedules of runs that say any of this, by id."""
    found: set[str] = set()
    for where in wheres:
        position = after or ""
        for _ in range(limit):
            run = work.find(
                kinds.RUNS,
                {**where, "schedule": {"$gt": position}},
                sort=[("schedule", 1)],
                limit=1,
                fields=["schedule", "state", "holder", "origin", "scheduled_for"],
            )
            if not run:
                break
            position = cast("str", run[0]["schedule"])
            found.add(position)
    return sorted(found)[:limit]
