"""Schedules and runs with all that is kept of them, as they arrive, in SQL.

What arrives is written as of no instant: so the database tells no event of it, see
``dialect.EVENT_TRIGGERS``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crony import errors
from crony.model.moving import MovedRun, MovedSchedule
from crony.model.run import Attempt, LogChunk, Run
from crony.model.state import HELD, AttemptState
from crony.storage.codec import (
    instant_out,
    maybe_duration_out,
    maybe_instant_out,
)
from crony.storage.sql import defining, hooks, logs, places, pruning, rows
from crony.storage.sql import holding as hands
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import among, each, text
from crony.storage.sql.settling import values_of

_OWNER = text("SELECT tenant FROM schedules WHERE id = :schedule")
_DEFINED = text(
    "SELECT 1 FROM definitions WHERE schedule = :schedule AND revision = :revision"
)
_THERE = text(
    "SELECT r.id, r.tenant, r.schedule, r.state"
    f" FROM {each('runs', 'j')} JOIN runs r ON r.id = j.value"
)
_KEEP_PROGRESS = text(
    "INSERT INTO progress (schedule, number, tenant, entry)"
    " VALUES (:schedule, :number, :tenant, :entry)"
)
_FORGET_PROGRESS = text("DELETE FROM progress WHERE schedule = :schedule")
_TRIED = text(
    "UPDATE runs SET worker = :worker, preempted = :preempted WHERE id = :run"
)
#: A run that is gone counts no longer among those of its state.
_CLEAR = text(
    "UPDATE runs SET state = 'withdrawn', admitted = 0, changed_at = 0"
    f" WHERE id IN {among('runs')}"
)
_FORGET_OWED = text(f"DELETE FROM follow_ups WHERE run IN {among('runs')}")


def schedule(connection: Connection, item: MovedSchedule) -> bool:
    """Store a schedule, if it may be."""
    asked = {"schedule": item.id}
    owner = connection.execute(_OWNER, asked).scalar()
    if owner is not None and not (
        owner == item.tenant and places.is_held(connection, item.tenant)
    ):
        return False
    defining.arrive(connection, item)
    pruning.keep(connection, item.tenant, item.id, item.pruned)
    connection.execute(_FORGET_PROGRESS, asked)
    entries: list[Parameters] = [
        {
            "schedule": item.id,
            "number": number,
            "tenant": item.tenant,
            "entry": rows.progress_out(entry),
        }
        for number, entry in enumerate(reversed(item.progress), 1)
    ]
    connection.execute_each(_KEEP_PROGRESS, entries)
    return True


def run(connection: Connection, item: MovedRun) -> bool:
    """Store a run, if it may be. Its schedule is to be admitted anew."""
    arrived = item.run
    there = connection.execute(_THERE, {"runs": rows.ids([arrived.id])}).first()
    if there is not None:
        gone = replaceable(connection, arrived.tenant, [arrived.id])
        if not gone or not places.is_held(connection, arrived.tenant):
            return False
        _check(connection, arrived)
        remove(connection, gone)
    else:
        _check(connection, arrived)
    (values,) = values_of(connection, [arrived], now=None)
    # As of no instant.
    connection.execute(rows.INSERT_RUN, values | {"now": 0})
    _attempts(connection, item)
    hooks.owe(
        connection,
        [
            hooks.owed(arrived, owed.kind, number=owed.number, at=instant_out(owed.at))
            | {"attempt": owed.attempt}
            for owed in item.follow_ups
        ],
    )
    return True


def _check(connection: Connection, arrived: Run) -> None:
    """Refuse a run of a schedule or a definition that is not there."""
    asked = {"schedule": arrived.schedule, "revision": arrived.revision}
    owner = connection.execute(_OWNER, {"schedule": arrived.schedule}).scalar()
    if owner != arrived.tenant:
        raise errors.NotFound("schedule", arrived.schedule)
    if connection.execute(_DEFINED, asked).first() is None:
        raise errors.NotFound("definition", f"{arrived.schedule}@{arrived.revision}")


def replaceable(
    connection: Connection, tenant: str, runs: Sequence[str]
) -> Mapping[str, str]:
    """Return which of a tenant's runs no worker has, with their schedules."""
    held = {state.value for state in HELD}
    return {
        run: schedule
        for run, owner, schedule, state in connection.execute(
            _THERE, {"runs": rows.ids(runs)}
        )
        if owner == tenant and state not in held
    }


def remove(connection: Connection, runs: Iterable[str]) -> None:
    """Forget runs, as if they had never been. Their schedules are to be admitted."""
    asked = {"runs": rows.ids(runs)}
    connection.execute(_CLEAR, asked)
    connection.execute(_FORGET_OWED, asked)
    pruning.remove(connection, asked["runs"])


def _attempts(connection: Connection, item: MovedRun) -> None:
    arrived = item.run
    if not arrived.attempts:
        return
    kept = [_attempt(arrived, each, item.says) for each in arrived.attempts]
    connection.execute_each(hands.KEEP_ATTEMPT, kept)
    preempted = sum(each.state is AttemptState.PREEMPTED for each in arrived.attempts)
    newest = {"run": arrived.id, "worker": arrived.attempts[-1].worker}
    connection.execute(_TRIED, newest | {"preempted": preempted})
    for attempt in arrived.attempts:
        chunks = item.output.get(attempt.token, ())
        if chunks or attempt.log_bytes:
            _output(connection, arrived, attempt, chunks)


def _attempt(of: Run, attempt: Attempt, says: Mapping[int, str]) -> Parameters:
    hook = of.hook is not None
    return {
        "run": of.id,
        "number": attempt.number,
        "tenant": of.tenant,
        "schedule": of.schedule,
        "token": attempt.token,
        "state": attempt.state.value,
        "reason": attempt.reason,
        "worker": attempt.worker,
        "worker_name": attempt.worker_name,
        "leased_at": instant_out(attempt.leased_at),
        "started_at": maybe_instant_out(attempt.started_at),
        "finished_at": maybe_instant_out(attempt.finished_at),
        "lateness": maybe_duration_out(attempt.lateness),
        "duration": maybe_duration_out(attempt.duration),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "error": attempt.error,
        "sandbox_level": attempt.sandbox_level,
        "limits": rows.json_out(attempt.limits),
        "usage": rows.json_out(attempt.usage),
        "says": says.get(attempt.token),
        "followed": of.parent if hook else None,
        "followed_attempt": of.hook_attempt,
    }


def _output(
    connection: Connection, of: Run, attempt: Attempt, chunks: Sequence[LogChunk]
) -> None:
    """Keep the output of an ended attempt: no more of it comes."""
    logs.keep(
        connection,
        tenant=of.tenant,
        run=of.id,
        token=attempt.token,
        chunks=chunks,
        written=attempt.log_bytes,
    )
