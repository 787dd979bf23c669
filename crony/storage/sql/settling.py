"""Runs that come to be, and offers that are taken back: steps of several verbs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from crony.model.run import Run
from crony.model.state import Reason, RunState
from crony.storage.codec import instant_out
from crony.storage.sql import lanes, policies
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import among, each, flag, text
from crony.storage.sql.places import Place
from crony.storage.sql.rows import INSERT_RUN, ids, run_out

_STANDING = text(
    f"SELECT r.id, r.state FROM {each('runs', 'j')} JOIN runs r ON r.id = j.value"
)

_TAKE_BACK = text(
    "UPDATE runs SET state = :state, reason = :reason, revision = :revision,"
    " schedule_name = :schedule_name, due_at = :due_at, available_at = :available_at,"
    " catch_up = :catch_up, range_until = :range_until, range_count = :range_count,"
    " queue = :queue, priority = :priority, max_lost = :max_lost,"
    " group_name = :group_name, policy = :policy, preemptible = :preemptible,"
    " deadline_at = :deadline_at, overlap = :overlap, hooks = :hooks,"
    " hook_interval = :hook_interval, reserved_for = NULL,"
    " finished_at = :finished_at, lane = :lane, admitted = 0, waiting = :waiting,"
    " changed_at = :now WHERE id = :id"
)

_REMEMBER = text(
    "INSERT INTO lapsed (run, token, tenant, worker)"
    " SELECT r.id, r.token, r.tenant, r.worker"
    f" FROM {each('runs', 'j')} JOIN runs r ON r.id = j.value"
)

_DROP = text(
    "UPDATE runs SET state = :state, finished_at = :finished_at,"
    " reason = CASE WHEN :state = 'pending' THEN reason ELSE :reason END,"
    " attempt = attempt - 1, admitted = 0,"
    f" waiting = {flag('available_at > :now')},"
    " worker = (SELECT a.worker FROM attempts a WHERE a.run = runs.id"
    " ORDER BY a.number DESC LIMIT 1), worker_name = NULL,"
    " leased_at = NULL, start_at = NULL, expires_at = NULL, changed_at = :now"
    f" WHERE id IN {among('runs')} RETURNING tenant, group_name, origin"
)


def insert(connection: Connection, runs: Iterable[Run]) -> None:
    """Insert runs that are made just now. Their schedules are to be admitted anew."""
    connection.execute_each(INSERT_RUN, values_of(connection, runs, now=None))


def values_of(
    connection: Connection, runs: Iterable[Run], *, now: datetime | None
) -> list[Parameters]:
    """Return the parameters of ``INSERT_RUN``, as of an instant, or of each's own."""
    given = list(runs)
    lane_of = lanes.of_runs(connection, given)
    policy_of = policies.intern(connection, given)
    return [
        run_out(
            run,
            lane=lane_of[run.id],
            policy=policy_of[run.id],
            now=instant_out(now or run.created_at),
        )
        for run in given
    ]


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
    states = standing(connection, (run.id for run in given))
    fresh: list[Run] = []
    again: list[Run] = []
    grown: dict[str, int] = {}
    for run in given:
        before = states.get(run.id)
        if before not in (None, RunState.WITHDRAWN.value):
            continue
        (fresh if before is None else again).append(run)
        states[run.id] = run.state.value
        grown[run.schedule] = grown.get(run.schedule, 0) + run.range_count
    values = values_of(connection, fresh + again, now=now)
    connection.execute_each(INSERT_RUN, values[: len(fresh)])
    connection.execute_each(_TAKE_BACK, values[len(fresh) :])
    return grown


def standing(connection: Connection, runs: Iterable[str]) -> dict[str, str]:
    """Return the states of those runs that there are."""
    rows = connection.execute(_STANDING, {"runs": ids(runs)})
    return {row[0]: row[1] for row in rows}


def drop_offers(
    connection: Connection,
    runs: Iterable[str],
    *,
    now: datetime,
    state: RunState = RunState.PENDING,
    reason: Reason | None = None,
) -> list[Place]:
    """Take leased runs from their workers; an unconfirmed offer leaves no attempt.

    They are pending then, or over for a reason. Returns the places that they leave.
    Their schedules are to be admitted anew.
    """
    dropped = ids(runs)
    if dropped == "[]":
        return []
    connection.execute(_REMEMBER, {"runs": dropped})
    instant = instant_out(now)
    over = state not in (RunState.PENDING, RunState.WITHDRAWN)
    values = {
        "runs": dropped,
        "state": state.value,
        "reason": reason,
        "finished_at": instant if over else None,
        "now": instant,
    }
    left = connection.execute(_DROP, values).all()
    return [(tenant, group) for tenant, group, origin in left if origin != "hook"]
