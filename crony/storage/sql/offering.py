"""Which runs a worker is offered: chosen from the lanes that suit it."""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.engine import Connection

from crony.model.lease import Offer
from crony.model.run import Run
from crony.model.schedule import Definition
from crony.model.worker import Worker
from crony.storage.codec import (
    definition_in,
    duration_out,
    instant_in,
    instant_out,
)
from crony.storage.sql import lanes, rows
from crony.storage.sql.dialect import among, each, part
from crony.storage.sql.rows import RUN_COLUMNS, Columns

_RANK = "r.priority, r.catch_up, r.due_at, r.id"
_LEASABLE = text(
    "SELECT (SELECT json_group_array(json_array(priority, catch_up, due_at, id))"
    f" FROM (SELECT {_RANK} FROM runs r WHERE r.lane = l.value"
    " AND r.state = 'pending' AND r.admitted = 1 AND r.waiting = 0"
    " AND r.available_at <= :horizon"
    " ORDER BY r.priority DESC, r.catch_up, r.due_at, r.id LIMIT :slots))"
    f" FROM {each('lanes', 'l')}"
)
#: What became available and was not promoted yet: few, for a tick promotes them.
_OVERDUE = text(
    f"SELECT {_RANK} FROM runs r WHERE r.state = 'pending' AND r.waiting = 1"
    " AND r.available_at <= :horizon AND r.admitted = 1"
    f" AND r.lane IN {among('lanes')}"
)
_LEASE = text(
    "UPDATE runs SET state = 'leased', waiting = 0, token = token + 1,"
    " attempt = attempt + 1, worker = :worker, worker_name = :worker_name,"
    " leased_at = :now, start_at = max(available_at, :now),"
    " expires_at = (max(available_at, :now) * 1000 + :ttl) / 1000"
    f" WHERE id IN {among('runs')}"
    f" RETURNING {RUN_COLUMNS}, start_at, expires_at"
)
_DEFINITIONS = text(
    f"SELECT d.schedule, d.revision, d.body FROM {each('pairs', 'j')}"
    f" JOIN definitions d ON d.schedule = {part('j', 0)}"
    f" AND d.revision = {part('j', 1)}"
)


def offers(
    connection: Connection,
    worker: Worker,
    *,
    slots: int,
    horizon: datetime,
    now: datetime,
    lease_ttl: timedelta,
) -> Sequence[Offer]:
    """Lease the first runs that the worker may have, in the order of leasing."""
    chosen = _choose(connection, worker, slots=slots, horizon=horizon)
    if not chosen:
        return ()
    leased = connection.execute(
        _LEASE,
        {
            "runs": rows.ids(chosen),
            "worker": worker.id,
            "worker_name": worker.name,
            "now": instant_out(now),
            "ttl": duration_out(lease_ttl),
        },
    ).all()
    # What RETURNING returns has no order.
    by_id = {row[0]: row for row in leased}
    runs = [(by_id[run], rows.run(by_id[run])) for run in chosen]
    found = definitions(connection, [run for _, run in runs])
    return tuple(
        _offer(row, run, found[run.schedule, run.revision]) for row, run in runs
    )


def _choose(
    connection: Connection, worker: Worker, *, slots: int, horizon: datetime
) -> list[str]:
    """Return the first runs that the worker may have, in the order of leasing."""
    if worker.draining or slots < 1:
        return []
    satisfied = lanes.satisfied(
        connection,
        worker.tenant,
        queues=worker.queues,
        labels=worker.labels,
        level=worker.sandbox_level,
    )
    asked = {
        "lanes": json.dumps(satisfied),
        "slots": slots,
        "horizon": instant_out(horizon),
    }
    found = [
        (-priority, catch_up, due_at, run)
        for group in connection.execute(_LEASABLE, asked).scalars()
        for priority, catch_up, due_at, run in json.loads(group)
    ]
    found += [
        (-priority, catch_up, due_at, run)
        for priority, catch_up, due_at, run in connection.execute(_OVERDUE, asked)
    ]
    return [run for *_, run in heapq.nsmallest(slots, found)]


def definitions(
    connection: Connection, runs: Sequence[Run]
) -> Mapping[tuple[str, int], Definition]:
    """Return the definitions that runs execute, by schedule and revision."""
    pairs = {(run.schedule, run.revision) for run in runs}
    found = connection.execute(_DEFINITIONS, {"pairs": json.dumps(list(pairs))})
    return {(row[0], row[1]): definition_in(row[2]) for row in found.all()}


def _offer(row: Columns, run: Run, definition: Definition) -> Offer:
    start_at, expires_at = row[-2:]
    return Offer(
        run=run,
        definition=definition,
        token=run.token,
        attempt=run.attempt,
        start_at=instant_in(start_at),
        expires_at=instant_in(expires_at),
    )
