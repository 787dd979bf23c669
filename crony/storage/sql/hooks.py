"""Hooks: those that are owed, when progress is due, and what they say, in SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crony.model.hook import FollowUp, HookKind
from crony.model.run import Progress
from crony.storage import rules
from crony.storage.codec import duration_in, instant_in, instant_out
from crony.storage.sql import events, rows
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import each, part, part_number, text

_OWE = text(
    "INSERT INTO follow_ups (run, attempt, kind, number, tenant, schedule, at)"
    " VALUES (:run, :attempt, :kind, :number, :tenant, :schedule, :at)"
    " ON CONFLICT (run, attempt, kind, number) DO NOTHING"
)
_OWED = text(
    "SELECT tenant, schedule, run, attempt, kind, number, at FROM follow_ups"
    " ORDER BY at, run, attempt, kind, number LIMIT :limit"
)
_FOLLOWED = text(
    "DELETE FROM follow_ups WHERE (run, attempt, kind, number) IN"
    f" (SELECT {part('j', 0)}, {part_number('j', 1)}, {part('j', 2)},"
    f" {part_number('j', 3)} FROM {each('items', 'j')})"
)
_DUE = text(
    "SELECT r.id, r.tenant, r.schedule, r.attempt, r.started_at, r.hook_interval,"
    " r.pulses FROM runs r WHERE r.pulse_at IS NOT NULL AND r.state = 'running'"
    " AND r.pulse_at <= :now ORDER BY r.pulse_at, r.id LIMIT :limit"
)
_NEXT = text("UPDATE runs SET pulse_at = :pulse_at, pulses = :pulses WHERE id = :run")
_SHOW = text("UPDATE runs SET progress = :entry WHERE id = :run")
_UNFINISHED = text(
    "SELECT 1 FROM runs WHERE id = :run"
    " AND state IN ('pending','leased','running','stopping','withdrawn')"
)
_KEEP = text(
    "INSERT INTO progress (schedule, number, tenant, entry)"
    " SELECT s.id, 1 + coalesce((SELECT max(number) FROM progress"
    " WHERE schedule = s.id), 0), s.tenant, :entry"
    " FROM schedules s WHERE s.id = :schedule AND s.state <> 'deleted'"
)
_DROP = text(
    "DELETE FROM progress WHERE schedule = :schedule AND number <="
    " (SELECT max(number) FROM progress WHERE schedule = :schedule) - :kept"
)


@dataclass(frozen=True, slots=True)
class Pulsing:
    """A running run whose progress hook has come due; instants as kept."""

    id: str
    tenant: str
    schedule: str
    attempt: int
    started_at: int
    hook_interval: int
    #: How often it was due before in this attempt.
    pulses: int


class Attempted(Protocol):
    """A run with an attempt that a hook follows."""

    @property
    def id(self) -> str:
        """The run."""

    @property
    def tenant(self) -> str:
        """Its tenant."""

    @property
    def schedule(self) -> str:
        """Its schedule."""

    @property
    def attempt(self) -> int:
        """The newest attempt's number."""


def owed(run: Attempted, kind: HookKind, *, number: int, at: int) -> Parameters:
    """Return what ``owe`` writes of a hook that follows the run's newest attempt."""
    return {
        "run": run.id,
        "attempt": run.attempt,
        "kind": kind.value,
        "number": number,
        "tenant": run.tenant,
        "schedule": run.schedule,
        "at": at,
    }


def owe(connection: Connection, items: Sequence[Parameters]) -> None:
    """Leave hooks that are owed."""
    connection.execute_each(_OWE, items)


def follow_ups(connection: Connection, *, limit: int) -> Sequence[FollowUp]:
    """Return the hooks that are owed, oldest first."""
    return tuple(
        FollowUp(
            tenant=row[0],
            schedule=row[1],
            run=row[2],
            attempt=row[3],
            kind=HookKind(row[4]),
            number=row[5],
            at=instant_in(row[6]),
        )
        for row in connection.execute(_OWED, {"limit": limit})
    )


def followed(connection: Connection, items: Sequence[FollowUp]) -> None:
    """Forget hooks that are runs now."""
    named = [(item.run, item.attempt, item.kind, item.number) for item in items]
    connection.execute(_FOLLOWED, {"items": json.dumps(named)})


def due(connection: Connection, *, now: datetime, limit: int) -> list[Pulsing]:
    """Return the running runs whose progress hook has come due."""
    asked = {"now": instant_out(now), "limit": limit}
    return [Pulsing(*row) for row in connection.execute(_DUE, asked)]


def pulse(connection: Connection, runs: Sequence[Pulsing], *, now: datetime) -> None:
    """Leave a follow-up for each of these runs, and say when the next is due."""
    left: list[Parameters] = []
    later: list[Parameters] = []
    for run in runs:
        number = run.pulses + 1
        left.append(owed(run, HookKind.PROGRESS, number=number, at=instant_out(now)))
        at = rules.next_pulse(
            instant_in(run.started_at), duration_in(run.hook_interval), now=now
        )
        later.append({"run": run.id, "pulse_at": instant_out(at), "pulses": number})
    owe(connection, left)
    connection.execute_each(_NEXT, later)


def note(connection: Connection, schedule: str, entry: Progress) -> None:
    """Keep a progress entry for a schedule that exists, and forget old ones."""
    values = {
        "schedule": schedule,
        "entry": rows.progress_out(entry),
        "kept": rules.PROGRESS_KEPT,
    }
    connection.execute(_KEEP, values)
    connection.execute(_DROP, values)


def show(connection: Connection, entry: Progress, *, now: int) -> None:
    """Make an entry the newest of its run, and tell of it."""
    values = {"run": entry.run, "entry": rows.progress_out(entry)}
    connection.execute(_SHOW, values)
    events.of_progress(connection, entry.run, now=now)


def hear(connection: Connection, schedule: str, entry: Progress, *, now: int) -> None:
    """Take what a hook says of the run that it follows."""
    note(connection, schedule, entry)
    if connection.execute(_UNFINISHED, {"run": entry.run}).scalar():
        show(connection, entry, now=now)
