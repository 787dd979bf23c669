"""Pages of schedules and runs.

A page is a range of an index, from where the last one ended. Runs by state come
from an index per state, so that a rare state is found in a long history.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from crony.model.group import DEFAULT_GROUP
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, RunState, ScheduleState
from crony.storage.codec import instant_out
from crony.storage.contract import Page, Position, RunQuery, ScheduleQuery
from crony.storage.sql import dialect, rows
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import (
    among,
    each,
    flag,
    members,
    packed,
    place_in,
    text,
    unpacked,
)
from crony.storage.sql.paging import page_of
from crony.storage.sql.rows import (
    SCHEDULE_COLUMNS,
    SCHEDULES,
    SUMMARY_COLUMNS_OF_R,
    Columns,
)

_LOWER_NAME = "lower(coalesce(s.name, ''))"
_FAILING = (
    "coalesce((SELECT r.state FROM runs r WHERE r.schedule = s.id AND r.attempt > 0"
    " AND r.origin <> 'hook'"
    " AND r.state IN ('succeeded','failed','timed_out','cancelled','missed',"
    "'skipped','expired') ORDER BY r.scheduled_for DESC, r.id DESC LIMIT 1),"
    " 'succeeded') <> 'succeeded'"
)

_NAMED = text(
    f"SELECT {SCHEDULE_COLUMNS} FROM {each('schedules', 'j')}"
    f" CROSS JOIN {SCHEDULES} WHERE s.id = j.value ORDER BY s.id"
)


def schedules(
    connection: Connection,
    tenant: str,
    query: ScheduleQuery,
    *,
    limit: int,
    after: Position | None,
) -> Page[Schedule]:
    """Return a page of schedules."""
    found = _sorted(connection, tenant, query, limit=limit + 1, after=after)
    places = found[:limit]
    by_id = {row[0]: row for row in named(connection, [name for name, _ in places])}
    items = tuple(rows.schedule(by_id[name]) for name, _ in places if name in by_id)
    if len(found) <= limit or not places:
        return Page(items, None)
    last, value = places[-1]
    return Page(items, (None if value == _lacking(query) else value, last))


def named(connection: Connection, names: Iterable[str]) -> Sequence[Columns]:
    """Return the rows of the schedules with these ids, by id."""
    return connection.execute(_NAMED, {"schedules": rows.ids(names)}).all()


def _lacking(query: ScheduleQuery) -> str | int:
    """Return what stands in the index for a schedule that lacks what sorts it."""
    return dialect.NAMELESS if query.sort == "name" else dialect.NEVER


def _sorted(
    connection: Connection,
    tenant: str,
    query: ScheduleQuery,
    *,
    limit: int,
    after: Position | None,
) -> list[Columns]:
    """Return the ids of a page, each with what it is sorted by.

    By themselves, so that nothing but the index can put them in order.
    """
    sort = dialect.SCHEDULE_SORTS[query.sort]
    conditions, values = _schedule_conditions(tenant, query)
    ranges: list[tuple[str, str]] = [("", f"{sort}, s.id")]
    if after is not None:
        # Of the index, one after the other: what is of the last one's value, and the
        # rest. SQLite takes no pair with an expression for a range: it would go
        # through all that are of that value, for each page.
        ties = f" AND {sort} = :value AND s.id > :id"
        ranges = [(ties, "s.id"), (f" AND {sort} > :value", f"{sort}, s.id")]
        value = _lacking(query) if after[0] is None else after[0]
        values |= {"value": value, "id": after[1]}
    found: list[Columns] = []
    for beyond, order in ranges:
        statement = text(
            f"SELECT s.id, {sort} FROM schedules s"
            f" WHERE {' AND '.join(conditions)}{beyond} ORDER BY {order} LIMIT :limit"
        )
        values["limit"] = limit - len(found)
        found += connection.execute(statement, statement.taking(values)).all()
        if len(found) == limit:
            break
    return found


def _schedule_conditions(
    tenant: str, query: ScheduleQuery
) -> tuple[list[str], Parameters]:
    conditions = ["s.tenant = :tenant", "s.state <> 'deleted'"]
    values: Parameters = {"tenant": tenant}
    for member, condition in (
        ("group", "s.group_name = :group"),
        ("queue", "s.queue = :queue"),
        ("state", "s.state = :state"),
        ("trigger", "s.trigger = :trigger"),
    ):
        value = getattr(query, member)
        if value is not None:
            conditions.append(condition)
            values[member] = value.value if isinstance(value, ScheduleState) else value
    if query.label is not None:
        conditions.append(
            f"EXISTS (SELECT 1 FROM {members('s.labels', 'l')}"
            " WHERE l.key = :label AND l.value = :label_value)"
        )
        values["label"], values["label_value"] = query.label
    if query.text is not None:
        conditions.append(f"{place_in(_LOWER_NAME, ':text')} > 0")
        values["text"] = query.text.lower()
    if query.failing is not None:
        conditions.append(f"{flag(_FAILING)} = :failing")
        values["failing"] = int(query.failing)
    return conditions, values


def runs(
    connection: Connection,
    tenant: str,
    query: RunQuery,
    *,
    limit: int,
    after: Position | None,
) -> Page[Run]:
    """Return a page of runs, as summaries."""
    conditions, values = _run_conditions(query, after)
    values |= {"tenant": tenant, "limit": limit + 1}
    states = [state.value for state in RunState if state in (query.states or RunState)]
    values["states"] = json.dumps(states)
    values["state"] = states[0]
    statement = text(
        _statement(query).format(
            conditions="".join(f" AND {c}" for c in conditions),
            order=_OLDEST if query.oldest_first else _NEWEST,
        )
    )
    found = connection.execute(statement, statement.taking(values)).all()
    return page_of(
        found,
        limit=limit,
        read=rows.run,
        place=lambda last: (instant_out(last.scheduled_for), last.id),
    )


_NEWEST = "ORDER BY r.scheduled_for DESC, r.id DESC LIMIT :limit"
_OLDEST = "ORDER BY r.scheduled_for, r.id LIMIT :limit"
#: Each is a range of the index of the owner that it names.
_BY_OWNER = (
    f"SELECT {SUMMARY_COLUMNS_OF_R} FROM runs r WHERE r.tenant = :tenant AND {{owner}}"
    f" AND r.state IN {among('states')}{{{{conditions}}}} {{{{order}}}}"
)
_BY_ONE_STATE = (
    f"SELECT {SUMMARY_COLUMNS_OF_R} FROM runs r WHERE r.tenant = :tenant"
    " AND r.state = :state{conditions} {order}"
)
_OF_STATE = (
    f"(SELECT {packed('id')} FROM (SELECT r.id FROM runs r WHERE r.tenant = :tenant"
    " AND r.state = s.value{conditions} {order}) found)"
)
_BY_STATE = (
    f"SELECT {SUMMARY_COLUMNS_OF_R} FROM runs r WHERE r.id IN (SELECT n.value"
    f" FROM {each('states', 's')}, {unpacked(_OF_STATE, 'n')}) {{order}}"
)


def _statement(query: RunQuery) -> str:
    """Return the statement that reads least of what it leaves out."""
    if query.schedule is not None:
        return _BY_OWNER.format(owner="r.schedule = :schedule")
    if query.parent is not None:
        return _BY_OWNER.format(owner="r.parent = :parent")
    if query.worker is not None:
        return _BY_OWNER.format(owner="r.worker = :worker")
    if len(query.states) == 1:
        return _BY_ONE_STATE
    # These two have indexes of what is rare, which the words beside say.
    if query.group not in (None, DEFAULT_GROUP):
        owner = f"r.group_name = :group AND r.group_name <> '{DEFAULT_GROUP}'"
        return _BY_OWNER.format(owner=owner)
    if query.origin not in (None, Origin.SCHEDULE):
        owner = "r.origin = :origin AND r.origin <> 'schedule'"
        return _BY_OWNER.format(owner=owner)
    return _BY_STATE


def _run_conditions(
    query: RunQuery, after: Position | None
) -> tuple[list[str], Parameters]:
    conditions = []
    values: Parameters = {}
    for member, column in (
        ("schedule", "schedule"),
        ("worker", "worker"),
        ("parent", "parent"),
        ("group", "group_name"),
        ("origin", "origin"),
    ):
        value = getattr(query, member)
        if value is not None:
            conditions.append(f"r.{column} = :{member}")
            values[member] = str(value)
    # Where the list goes on is the only range on its side: of two SQLite would take
    # one, and not the nearer. What has a sign before it is none.
    up = after is not None and query.oldest_first
    down = after is not None and not query.oldest_first
    if query.since is not None:
        conditions.append(f"{'+' if up else ''}r.scheduled_for >= :since")
        values["since"] = instant_out(query.since)
    if query.until is not None:
        conditions.append(f"{'+' if down else ''}r.scheduled_for < :until")
        values["until"] = instant_out(query.until)
    if after is not None:
        beyond = ">" if query.oldest_first else "<"
        conditions.append(f"(r.scheduled_for, r.id) {beyond} (:at, :id)")
        values |= {"at": after[0], "id": after[1]}
    return conditions, values


_OF_SCHEDULE = (
    f"(SELECT {packed('id')} FROM (SELECT r.id FROM runs r WHERE r.schedule = s.value"
    f" AND r.state <> 'withdrawn' AND r.origin <> 'hook' {_NEWEST}) found)"
)
_RECENT = text(
    f"SELECT {SUMMARY_COLUMNS_OF_R} FROM runs r WHERE r.id IN (SELECT n.value"
    f" FROM {each('schedules', 's')} {rows.OWNED}, {unpacked(_OF_SCHEDULE, 'n')})"
    " ORDER BY r.schedule, r.scheduled_for DESC, r.id DESC"
)


def recent(
    connection: Connection, tenant: str, schedules: Iterable[str], *, limit: int
) -> dict[str, list[Run]]:
    """Return the newest runs of each schedule, as summaries."""
    asked = {"tenant": tenant, "schedules": rows.ids(schedules), "limit": limit}
    found: dict[str, list[Run]] = {}
    for row in connection.execute(_RECENT, asked):
        found.setdefault(row[2], []).append(rows.run(row))
    return found
