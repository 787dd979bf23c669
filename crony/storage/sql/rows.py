"""Rows of the tables as values of the model, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, cast

from crony import log
from crony.model.hook import HookKind
from crony.model.run import Attempt, Progress, Run
from crony.model.schedule import Schedule
from crony.model.state import (
    AttemptState,
    Origin,
    Reason,
    RunState,
    ScheduleState,
)
from crony.model.task import Json
from crony.storage.codec import (
    definition_in,
    dumps,
    duration_out,
    instant_in,
    instant_out,
    maybe_duration_in,
    maybe_duration_out,
    maybe_instant_in,
    maybe_instant_out,
    object_in,
    policy_in,
    policy_out,
)
from crony.storage.sql import dialect
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import each, in_hands, text

_log = log.get(__name__)

#: A row, by position; what it holds is the tables' business.
Columns = Sequence[Any]

_STATES = {state.value: state for state in RunState}
_REASONS: dict[str | None, Reason | None] = {None: None}
_REASONS |= {reason.value: reason for reason in Reason}
_ORIGINS = {origin.value: origin for origin in Origin}
_HOOKS: dict[str | None, HookKind | None] = {None: None}
_HOOKS |= {kind.value: kind for kind in HookKind}

#: The members of a run that it brings with it when it is inserted.
_GIVEN = ("id", *dialect.EVENT_MEMBERS, "result")

_POLICY = "(SELECT p.body FROM policies p WHERE p.id = {of}policy)"


def _columns(of: str, *, result: str) -> str:
    """Return what ``run`` reads, in this order, of the table named ``of``."""
    special = {"policy": _POLICY.format(of=of), "result": result}
    return ", ".join(special.get(name, f"{of}{name}") for name in _GIVEN)


#: What ``run`` reads of ``runs AS r``.
RUN_COLUMNS_OF_R = _columns("r.", result="r.result")
#: The same without the result, as lists have it.
SUMMARY_COLUMNS_OF_R = _columns("r.", result="NULL")
#: The same of ``runs`` by its own name, for what a statement returns.
RUN_COLUMNS = _columns("runs.", result="runs.result")
#: The same of an event ``e``.
SUMMARY_COLUMNS_OF_E = _columns("e.", result="NULL").replace("e.id", "e.subject", 1)

INSERT_RUN = text(
    f"INSERT INTO runs ({', '.join(_GIVEN)}, lane, admitted, waiting, preemptible,"
    f" changed_at) VALUES ({', '.join(f':{name}' for name in _GIVEN)}, :lane, 0,"
    " :waiting, :preemptible, :now)"
)


def ids(names: Iterable[str]) -> str:
    """Return names as the one parameter that a statement takes them in."""
    # PERF: many statements ask for none of something.
    wanted = list(names)
    return json.dumps(wanted) if wanted else "[]"


def reason_in(kept: str | None) -> Reason | None:
    """Return the reason of its text."""
    return _REASONS[kept]


def run(row: Columns, *, attempts: tuple[Attempt, ...] = ()) -> Run:
    """Return the run of a row of ``RUN_COLUMNS``."""
    return Run(
        id=row[0],
        tenant=row[1],
        schedule=row[2],
        schedule_name=row[3],
        revision=row[4],
        origin=_ORIGINS[row[5]],
        parent=row[6],
        group=row[7],
        policy=policy_in(row[8]),
        scheduled_for=instant_in(row[9]),
        due_at=instant_in(row[10]),
        available_at=instant_in(row[11]),
        catch_up=bool(row[12]),
        deadline_at=maybe_instant_in(row[13]),
        overlap=row[14],
        hooks=hooks_in(row[15]),
        hook_interval=maybe_duration_in(row[16]),
        hook=_HOOKS[row[17]],
        hook_attempt=row[18],
        range_until=maybe_instant_in(row[19]),
        range_count=row[20],
        state=_STATES[row[21]],
        reason=_REASONS[row[22]],
        queue=row[23],
        priority=row[24],
        max_lost=row[25],
        overrides=object_in(row[26]),
        created_at=instant_in(row[27]),
        started_at=maybe_instant_in(row[28]),
        finished_at=maybe_instant_in(row[29]),
        lateness=maybe_duration_in(row[30]),
        duration=maybe_duration_in(row[31]),
        attempt=row[32],
        token=row[33],
        failures=row[34],
        lost=row[35],
        exit_code=row[36],
        signal=row[37],
        error=row[38],
        progress=progress_in(row[39]),
        result=None if row[40] is None else cast("Json", json.loads(row[40])),
        attempts=attempts,
    )


def hook_in(kept: str | None) -> HookKind | None:
    """Return the kind of its text."""
    return _HOOKS[kept]


@cache
def hooks_in(kept: str) -> frozenset[HookKind]:
    """Return the kinds of ``hooks_out``'s text."""
    return frozenset(HookKind(kind) for kind in kept.split(",") if kind)


def hooks_out(hooks: frozenset[HookKind]) -> str:
    """Return the text of kinds of hooks."""
    return ",".join(sorted(hooks))


def run_out(run: Run, *, lane: int, policy: int, now: int) -> Parameters:
    """Return the parameters of ``INSERT_RUN``."""
    # PERF: they are most often one instant.
    scheduled_for = due_at = available_at = instant_out(run.scheduled_for)
    if run.due_at is not run.scheduled_for:
        due_at = available_at = instant_out(run.due_at)
    if run.available_at is not run.due_at:
        available_at = instant_out(run.available_at)
    return {
        "id": run.id,
        "tenant": run.tenant,
        "schedule": run.schedule,
        "schedule_name": run.schedule_name,
        "revision": run.revision,
        "origin": run.origin.value,
        "parent": run.parent,
        "group_name": run.group,
        "policy": policy,
        "scheduled_for": scheduled_for,
        "due_at": due_at,
        "available_at": available_at,
        "catch_up": int(run.catch_up),
        "deadline_at": maybe_instant_out(run.deadline_at),
        "overlap": run.overlap,
        "hooks": hooks_out(run.hooks),
        "hook_interval": maybe_duration_out(run.hook_interval),
        "hook": run.hook,
        "hook_attempt": run.hook_attempt,
        "range_until": maybe_instant_out(run.range_until),
        "range_count": run.range_count,
        "state": run.state.value,
        "reason": run.reason,
        "queue": run.queue,
        "priority": run.priority,
        "max_lost": run.max_lost,
        "overrides": json_out(run.overrides),
        "created_at": instant_out(run.created_at),
        "started_at": maybe_instant_out(run.started_at),
        "finished_at": maybe_instant_out(run.finished_at),
        "lateness": maybe_duration_out(run.lateness),
        "duration": maybe_duration_out(run.duration),
        "attempt": run.attempt,
        "token": run.token,
        "failures": run.failures,
        "lost": run.lost,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "error": run.error,
        "progress": None if run.progress is None else progress_out(run.progress),
        "result": json_out(run.result),
        "lane": lane,
        "waiting": int(available_at > now),
        "preemptible": int(run.policy.preemptible),
        "now": now,
    }


def summary_out(run: Run) -> Json:
    """Return a run, without its attempts, as ``run`` reads it."""
    values = run_out(run, lane=0, policy=0, now=0)
    values["policy"] = policy_out(run.policy)
    return [values[name] for name in _GIVEN]


def json_out(value: Json) -> str | None:
    """Return the JSON text of a value that may be absent."""
    return None if value is None else dumps(value)


def progress_out(entry: Progress) -> str:
    """Return the JSON text of a progress entry."""
    return dumps(
        [
            entry.run,
            entry.attempt,
            entry.source,
            instant_out(entry.at),
            entry.percent,
            entry.message,
        ]
    )


def progress_in(kept: str | None) -> Progress | None:
    """Return the entry of ``progress_out``'s text."""
    if kept is None:
        return None
    of, attempt, source, at, percent, message = json.loads(kept)
    return Progress(
        run=of,
        attempt=attempt,
        source=source,
        at=instant_in(at),
        percent=percent,
        message=message,
    )


#: What ``schedule`` reads of ``schedules AS s`` joined with its definition.
SCHEDULE_COLUMNS = (
    "s.id, s.tenant, s.revision, d.body, s.state, s.cursor, s.occurrences,"
    " s.created_at, s.updated_at, s.held, s.rules"
)
SCHEDULES = (
    "schedules s JOIN definitions d ON d.schedule = s.id AND d.revision = s.revision"
)
#: Of the schedules ``s`` of a list, those that are a tenant's. Each is found by its id:
#: by the tenant's index SQLite would go through all that the tenant has, for each.
OWNED = "JOIN schedules o ON o.id = s.value AND o.tenant || '' = :tenant"


def schedule(row: Columns) -> Schedule:
    """Return the schedule of a row of ``SCHEDULE_COLUMNS``."""
    return Schedule(
        id=row[0],
        tenant=row[1],
        revision=row[2],
        definition=definition_in(row[3]),
        state=ScheduleState(row[4]),
        cursor=maybe_instant_in(row[5]),
        occurrences=row[6],
        created_at=instant_in(row[7]),
        updated_at=instant_in(row[8]),
        held=bool(row[9]),
        rules=row[10],
    )


def readable(found: Iterable[Columns]) -> Iterator[Schedule]:
    """Return the schedules of rows, without those that can't be read back.

    For the work that goes over the schedules of all tenants: a damaged row, or one
    of a newer release, must not stop that of the others. Each is told of once.
    """
    for row in found:
        try:
            yield schedule(row)
        except Exception:  # noqa: BLE001  # whatever is wrong with it
            if row[0] not in _told:
                if len(_told) >= _TOLD:
                    _told.clear()
                _told.add(row[0])
                _log.exception(
                    "a schedule can't be read back", tenant=row[1], schedule=row[0]
                )


#: The schedules that were told of, as many as are remembered at most.
_TOLD = 1_000
_told: set[str] = set()


_ATTEMPTS = text(
    "SELECT a.run, a.number, a.token, a.state, a.reason, a.worker, a.worker_name,"
    " a.leased_at, a.started_at, a.finished_at, a.lateness, a.duration, a.exit_code,"
    " a.signal, a.error, a.sandbox_level, a.limits, a.usage,"
    " coalesce(o.written, 0), coalesce(o.kept, 0)"
    f" FROM {each('runs', 'j')} JOIN attempts a ON a.run = j.value"
    " LEFT JOIN outputs o ON o.run = a.run AND o.token = a.token"
    " ORDER BY a.run, a.number"
)
_LIVE_ATTEMPTS = text(
    "SELECT r.id, r.attempt, r.token, r.state, NULL, r.worker, r.worker_name,"
    " r.leased_at, r.started_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
    " coalesce(o.written, 0), coalesce(o.kept, 0)"
    f" FROM {each('runs', 'j')} JOIN runs r ON r.id = j.value"
    " LEFT JOIN outputs o ON o.run = r.id AND o.token = r.token"
    f" WHERE {in_hands('r.')}"
)
_RUNS = text(
    f"SELECT {RUN_COLUMNS_OF_R} FROM {each('runs', 'j')} JOIN runs r ON r.id = j.value"
)


def full_runs(connection: Connection, names: Iterable[str]) -> dict[str, Run]:
    """Return runs with their attempts, by id."""
    asked = {"runs": ids(names)}
    attempts: dict[str, list[Attempt]] = {}
    for row in connection.execute(_ATTEMPTS, asked):
        attempts.setdefault(row[0], []).append(_attempt(row, AttemptState(row[3])))
    for row in connection.execute(_LIVE_ATTEMPTS, asked):
        attempts.setdefault(row[0], []).append(_live_attempt(row))
    return {
        row[0]: run(row, attempts=tuple(attempts.get(row[0], ())))
        for row in connection.execute(_RUNS, asked)
    }


def plain_runs(connection: Connection, names: Iterable[str]) -> dict[str, Run]:
    """Return runs without their attempts, by id."""
    rows = connection.execute(_RUNS, {"runs": ids(names)})
    return {row[0]: run(row) for row in rows}


def _live_attempt(row: Columns) -> Attempt:
    if row[3] != RunState.LEASED.value:
        return _attempt(row, AttemptState.RUNNING)
    # The run's start is then an earlier attempt's.
    return _attempt((*row[:8], None, *row[9:]), AttemptState.LEASED)


def _attempt(row: Columns, state: AttemptState) -> Attempt:
    return Attempt(
        number=row[1],
        token=row[2],
        state=state,
        reason=_REASONS[row[4]],
        worker=row[5],
        worker_name=row[6],
        leased_at=instant_in(row[7]),
        started_at=maybe_instant_in(row[8]),
        finished_at=maybe_instant_in(row[9]),
        lateness=maybe_duration_in(row[10]),
        duration=maybe_duration_in(row[11]),
        exit_code=row[12],
        signal=row[13],
        error=row[14],
        sandbox_level=row[15],
        limits=object_in(row[16]),
        usage=object_in(row[17]),
        log_bytes=row[18],
        log_kept=row[19],
    )


def after(instant: int, duration: timedelta) -> int:
    """Return the instant that is so much later, both as kept."""
    return (instant * 1000 + duration_out(duration)) // 1000
