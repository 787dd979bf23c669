"""Pages of schedules and runs.

A page is a range of an index, from where the last one ended. Runs by state come
from an index per state, so that a rare state is found in a long history.
"""

from __future__ import annotations

import json

from sqlalchemy import text
from sqlalchemy.engine import Connection

from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import RunState, ScheduleState
from crony.storage.codec import instant_out
from crony.storage.contract import Page, Position, RunQuery, ScheduleQuery
from crony.storage.sql import dialect, rows
from crony.storage.sql.dialect import among, each
from crony.storage.sql.engine import Parameters
from crony.storage.sql.rows import RUN_COLUMNS_OF_R, SCHEDULE_COLUMNS, SCHEDULES

_FAILING = (
    "coalesce((SELECT r.state FROM runs r WHERE r.schedule = s.id AND r.attempt > 0"
    " AND r.state IN ('succeeded','failed','timed_out','cancelled','missed',"
    "'skipped','expired') ORDER BY r.scheduled_for DESC, r.id DESC LIMIT 1),"
    " 'succeeded') <> 'succeeded'"
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
    sort = dialect.SCHEDULE_SORTS[query.sort]
    last = dialect.NAMELESS if query.sort == "name" else dialect.NEVER
    conditions, values = _schedule_conditions(query)
    if after is not None:
        # The first half bounds the index, the second is exact.
        conditions += [f"{sort} >= :value", f"({sort}, s.id) > (:value, :id)"]
        values |= {"value": last if after[0] is None else after[0], "id": after[1]}
    statement = text(
        f"SELECT {SCHEDULE_COLUMNS}, {sort} FROM {SCHEDULES} WHERE"
        f" {' AND '.join(['s.tenant = :tenant', *conditions])}"
        f" ORDER BY {sort}, s.id LIMIT :limit"
    )
    values |= {"tenant": tenant, "limit": limit + 1}
    found = connection.execute(statement, values).all()
    items = tuple(rows.schedule(row) for row in found[:limit])
    if len(found) <= limit or not items:
        return Page(items, None)
    value = found[limit - 1][-1]
    return Page(items, (None if value == last else value, items[-1].id))


def _schedule_conditions(query: ScheduleQuery) -> tuple[list[str], Parameters]:
    conditions = ["s.state <> 'deleted'"]
    values: Parameters = {}
    for member, condition in (
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
            "EXISTS (SELECT 1 FROM json_each(s.labels) l"
            " WHERE l.key = :label AND l.value = :label_value)"
        )
        values["label"], values["label_value"] = query.label
    if query.text is not None:
        conditions.append("instr(lower(coalesce(s.name, '')), :text) > 0")
        values["text"] = query.text.lower()
    if query.failing is not None:
        conditions.append(f"({_FAILING}) = :failing")
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
    if query.schedule is None and query.worker is None:
        statement = _BY_STATE
        if query.states and len(query.states) == 1:
            statement = _BY_ONE_STATE
            values["state"] = states[0]
    else:
        statement = _BY_OWNER
        owner = "r.schedule = :schedule" if query.schedule else "r.worker = :worker"
        conditions.append(owner)
    found = connection.execute(
        text(statement.format(conditions="".join(f" AND {c}" for c in conditions))),
        values,
    ).all()
    items = tuple(rows.run(row) for row in found[:limit])
    if len(found) <= limit or not items:
        return Page(items, None)
    return Page(items, (instant_out(items[-1].scheduled_for), items[-1].id))


_SUMMARY = RUN_COLUMNS_OF_R.removesuffix("r.result") + "NULL"
_NEWEST = "ORDER BY r.scheduled_for DESC, r.id DESC LIMIT :limit"
_BY_OWNER = (
    f"SELECT {_SUMMARY} FROM runs r WHERE r.tenant = :tenant AND r.state IN"
    f" {among('states')}{{conditions}} {_NEWEST}"
)
_BY_ONE_STATE = (
    f"SELECT {_SUMMARY} FROM runs r WHERE r.tenant = :tenant AND r.state = :state"
    f"{{conditions}} {_NEWEST}"
)
_BY_STATE = (
    f"SELECT {_SUMMARY} FROM runs r WHERE r.id IN (SELECT n.value"
    f" FROM {each('states', 's')}, json_each((SELECT json_group_array(id) FROM"
    " (SELECT r.id FROM runs r WHERE r.tenant = :tenant AND r.state = s.value"
    f"{{conditions}} {_NEWEST}))) n) {_NEWEST}"
)


def _run_conditions(
    query: RunQuery, after: Position | None
) -> tuple[list[str], Parameters]:
    conditions = []
    values: Parameters = {}
    if query.schedule is not None:
        values["schedule"] = query.schedule
    if query.worker is not None:
        values["worker"] = query.worker
        if query.schedule is not None:
            conditions.append("r.worker = :worker")
    if query.since is not None:
        conditions.append("r.scheduled_for >= :since")
        values["since"] = instant_out(query.since)
    if query.until is not None:
        conditions.append("r.scheduled_for < :until")
        values["until"] = instant_out(query.until)
    if after is not None:
        conditions.append("r.scheduled_for <= :at")
        conditions.append("(r.scheduled_for, r.id) < (:at, :id)")
        values |= {"at": after[0], "id": after[1]}
    return conditions, values


_RECENT = text(
    f"SELECT {_SUMMARY} FROM runs r WHERE r.id IN (SELECT n.value"
    f" FROM {each('schedules', 's')}, json_each((SELECT json_group_array(id) FROM"
    " (SELECT r.id FROM runs r WHERE r.schedule = s.value AND r.state <> 'withdrawn'"
    f" {_NEWEST}))) n) ORDER BY r.schedule, r.scheduled_for DESC, r.id DESC"
)


def recent(
    connection: Connection, schedules: list[str], *, limit: int
) -> dict[str, list[Run]]:
    """Return the newest runs of each schedule, as summaries."""
    asked = {"schedules": rows.ids(schedules), "limit": limit}
    found: dict[str, list[Run]] = {}
    for row in connection.execute(_RECENT, asked):
        found.setdefault(row[2], []).append(rows.run(row))
    return found
