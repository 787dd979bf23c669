"""Runs that come to be, and offers that are taken back: steps of several verbs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import Connection

from crony.model.run import Run
from crony.model.state import RunState
from crony.storage.codec import instant_out
from crony.storage.sql import lanes
from crony.storage.sql.dialect import among, each
from crony.storage.sql.engine import Parameters, execute_each
from crony.storage.sql.rows import INSERT_RUN, ids, run_out

_STANDING = text(
    f"SELECT r.id, r.state FROM {each('runs', 'j')} JOIN runs r ON r.id = j.value"
)

_TAKE_BACK = text(
    "UPDATE runs SET state = :state, reason = :reason, revision = :revision,"
    " schedule_name = :schedule_name, due_at = :due_at, available_at = :available_at,"
    " catch_up = :catch_up, range_until = :range_until, range_count = :range_count,"
    " queue = :queue, priority = :priority, max_lost = :max_lost,"
    " finished_at = :finished_at, lane = :lane, admitted = 0, waiting = :waiting"
    " WHERE id = :id"
)

_REMEMBER = text(
    "INSERT INTO lapsed (run, token, tenant, worker)"
    " SELECT r.id, r.token, r.tenant, r.worker"
    f" FROM {each('runs', 'j')} JOIN runs r ON r.id = j.value"
)

_DROP = text(
    "UPDATE runs SET state = 'pending', attempt = attempt - 1, admitted = 0,"
    " waiting = (available_at > :now), worker = (SELECT a.worker FROM attempts a"
    " WHERE a.run = runs.id ORDER BY a.number DESC LIMIT 1), worker_name = NULL,"
    " leased_at = NULL, start_at = NULL, expires_at = NULL"
    f" WHERE id IN {among('runs')}"
)


def settle(
    connection: Connection, runs: Iterable[Run], *, now: datetime
) -> Mapping[str, int]:
    """Insert runs, or take them back where they were withdrawn.

    Returns by how much the occurrences of each schedule grew. Their schedules are
    to be admitted anew.
    """
    given = list(runs)
    if not given:
        return {}
    rows = connection.execute(_STANDING, {"runs": ids(run.id for run in given)}).all()
    states = {row[0]: row[1] for row in rows}
    lane_of = lanes.of_runs(connection, given)
    new: list[Parameters] = []
    back: list[Parameters] = []
    grown: dict[str, int] = {}
    for run in given:
        before = states.get(run.id)
        if before not in (None, RunState.WITHDRAWN.value):
            continue
        values = run_out(run, lane=lane_of[run.id], now=instant_out(now))
        (new if before is None else back).append(values)
        states[run.id] = run.state.value
        grown[run.schedule] = grown.get(run.schedule, 0) + run.range_count
    execute_each(connection, INSERT_RUN, new)
    execute_each(connection, _TAKE_BACK, back)
    return grown


def drop_offers(connection: Connection, runs: Iterable[str], *, now: datetime) -> None:
    """Make leased runs pending; an offer that nobody confirmed leaves no attempt.

    Their schedules are to be admitted anew.
    """
    dropped = ids(runs)
    if dropped != "[]":
        connection.execute(_REMEMBER, {"runs": dropped})
        connection.execute(_DROP, {"runs": dropped, "now": instant_out(now)})
