"""Runs in workers' hands: looked up, ended, lost.

Here a run is only what these steps need of it, and changes as they go on: a
batch may name the same run twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from crony.model.hook import HookKind
from crony.model.lease import Closing, Loss, Standing
from crony.model.policy import Verdict
from crony.model.state import (
    FAILURES,
    HELD,
    TERMINAL,
    AttemptState,
    Reason,
    RunState,
)
from crony.storage import rules
from crony.storage.codec import (
    instant_in,
    instant_out,
    maybe_duration_out,
    maybe_instant_in,
)
from crony.storage.sql import hooks, rows
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import each, part, part_number, text
from crony.storage.sql.places import Place
from crony.storage.sql.rows import Columns


@dataclass(slots=True)
class Held:
    """A run as a holder's verb sees it."""

    id: str
    tenant: str
    schedule: str
    state: RunState
    reason: Reason | None
    hooks: frozenset[HookKind]
    hook: HookKind | None
    token: int
    attempt: int
    failures: int
    lost: int
    max_lost: int
    available_at: int
    worker: str
    worker_name: str
    leased_at: int
    started_at: int | None
    start_at: int
    expires_at: int
    group: str
    deadline_at: int | None
    preempted: int
    #: What a hook's run follows.
    parent: str | None
    hook_attempt: int | None
    #: Whether its schedule was deleted, so that nothing of it starts again.
    deleted: bool

    @property
    def live(self) -> bool:
        """Whether a worker has it."""
        return self.state in HELD

    def by(self, worker: str, token: int) -> bool:
        """Return whether this worker has it under this token."""
        return self.live and self.token == token and self.worker == worker

    @property
    def place(self) -> list[Place]:
        """The place that it leaves when it is live no longer; a hook has none."""
        return [] if self.hook is not None else [(self.tenant, self.group)]


COLUMNS = (
    "r.id, r.tenant, r.schedule, r.state, r.reason, r.hooks, r.hook, r.token,"
    " r.attempt, r.failures, r.lost, r.max_lost, r.available_at, r.worker,"
    " r.worker_name, r.leased_at, r.started_at, r.start_at, r.expires_at,"
    " r.group_name, r.deadline_at, r.preempted, r.parent, r.hook_attempt,"
    " EXISTS (SELECT 1 FROM schedules s WHERE s.id = r.schedule"
    " AND s.state = 'deleted')"
)

_FIND = text(f"SELECT {COLUMNS} FROM {each('runs', 'j')} JOIN runs r ON r.id = j.value")
_GIVEN = text(
    f"SELECT a.run, a.token, a.worker, a.state FROM {each('pairs', 'j')}"
    f" JOIN attempts a ON a.run = {part('j', 0)}"
    f" AND a.token = {part_number('j', 1)}"
    f" UNION ALL SELECT l.run, l.token, l.worker, NULL FROM {each('pairs', 'j')}"
    f" JOIN lapsed l ON l.run = {part('j', 0)}"
    f" AND l.token = {part_number('j', 1)}"
)
_THERE = text("SELECT 1 FROM workers WHERE id = :worker AND tenant = :tenant")

_END = text(
    "UPDATE runs SET state = :state, reason = :reason, available_at = :available_at,"
    " waiting = :waiting, admitted = 0, finished_at = :finished_at,"
    " lateness = :lateness, duration = :duration, exit_code = :exit_code,"
    " signal = :signal, error = :error, result = :result, failures = :failures,"
    " lost = :lost, preempted = :preempted, worker_name = NULL, leased_at = NULL,"
    " start_at = NULL, expires_at = NULL, changed_at = :now WHERE id = :id"
)
KEEP_ATTEMPT = text(
    "INSERT INTO attempts (run, number, tenant, schedule, token, state, reason,"
    " worker, worker_name, leased_at, started_at, finished_at, lateness, duration,"
    " exit_code, signal, error, sandbox_level, limits, usage, says, followed,"
    " followed_attempt) VALUES (:run, :number,"
    " :tenant, :schedule, :token, :state, :reason, :worker, :worker_name, :leased_at,"
    " :started_at, :finished_at, :lateness, :duration, :exit_code, :signal, :error,"
    " :sandbox_level, :limits, :usage, :says, :followed, :followed_attempt)"
)


def held(row: Columns) -> Held:
    """Return the run of a row of ``COLUMNS``."""
    return Held(
        row[0],
        row[1],
        row[2],
        RunState(row[3]),
        rows.reason_in(row[4]),
        rows.hooks_in(row[5]),
        rows.hook_in(row[6]),
        *row[7:],
    )


#: Who was given a token, and how that attempt ended; an offer did not.
Given = tuple[str, AttemptState | None]


class Hand:
    """What one worker asks about: its runs, and what it was ever given of them."""

    def __init__(
        self,
        connection: Connection,
        tenant: str,
        worker: str,
        items: Sequence[tuple[str, int]],
    ) -> None:
        self._worker = worker
        there = connection.execute(_THERE, {"worker": worker, "tenant": tenant})
        names = {run for run, _ in items} if there.scalar() else ()
        asked = {"runs": rows.ids(names)}
        found = [held(row) for row in connection.execute(_FIND, asked).all()]
        self._runs = {run.id: run for run in found if run.tenant == tenant}
        self._given: dict[tuple[str, int], Given] = {}
        past = [
            (name, token)
            for name, token in items
            if name in self._runs and not self._runs[name].by(worker, token)
        ]
        if past:
            pairs = {"pairs": json.dumps(sorted(set(past)))}
            for run, token, holder, state in connection.execute(_GIVEN, pairs):
                ended = None if state is None else AttemptState(state)
                self._given[run, token] = (holder, ended)

    def known(self, run: str, token: int) -> Held | None:
        """Return the run, if this worker was ever given this token of it."""
        found = self._runs.get(run)
        if found is None or found.by(self._worker, token):
            return found
        holder, _ = self._given.get((run, token), (None, None))
        return found if holder == self._worker else None

    def of_tenant(self, run: str) -> Held | None:
        """Return the run, whoever has it."""
        return self._runs.get(run)

    def ended(self, run: str, token: int) -> AttemptState | None:
        """Return how the attempt under this token ended, if it has."""
        return self._given.get((run, token), (None, None))[1]

    def end(self, run: Held, state: AttemptState) -> None:
        """Remember for the rest of the batch that the attempt ended so."""
        self._given[run.id, run.token] = (run.worker, state)

    def standing(self, run: str, token: int) -> Standing:
        """Return what a write about a running attempt meets."""
        found = self.known(run, token)
        if found is None:
            return Standing.UNKNOWN
        return rules.running_standing(
            token,
            current=found.token,
            state=found.state,
            was=self.ended(run, token),
        )


_NOTHING_REPORTED: Parameters = dict.fromkeys(
    (
        *("lateness", "duration", "exit_code", "signal", "error"),
        *("sandbox_level", "limits", "usage", "says"),
    )
)


class Endings:
    """Attempts that end in one verb, and what they leave, written at its end."""

    def __init__(self, connection: Connection, *, now: datetime) -> None:
        self._connection = connection
        self._now = instant_out(now)
        self._runs: list[Parameters] = []
        self._attempts: list[Parameters] = []
        self._owed: list[Parameters] = []
        #: The places that the runs leave.
        self.left: list[Place] = []

    def close(self, run: Held, item: Closing) -> AttemptState:
        """End an attempt as its worker reports, and let the run follow.

        Returns what the attempt counts as.
        """
        ended = rules.ended_as(run.state, run.reason, item.state)
        verdict = rules.closing_verdict(
            run.state,
            run.reason,
            item,
            deleted=run.deleted,
            now=instant_in(self._now),
            deadline_at=maybe_instant_in(run.deadline_at),
        )
        run.failures += ended in FAILURES
        run.preempted += ended is AttemptState.PREEMPTED
        outcome: Parameters = {
            "finished_at": instant_out(item.finished_at),
            "lateness": maybe_duration_out(item.lateness),
            "duration": maybe_duration_out(item.duration),
            "exit_code": item.exit_code,
            "signal": item.signal,
            "error": item.error,
        }
        reported = {
            "sandbox_level": item.sandbox_level,
            "limits": rows.json_out(item.limits),
            "usage": rows.json_out(item.usage),
            "says": item.says if run.hook is HookKind.ERROR and item.says else None,
        }
        self._keep(run, ended, item.reason, outcome | reported)
        self._follow(run, verdict, outcome, result=rows.json_out(item.result))
        self._owe(run, ended)
        self._hear(run, item)
        return ended

    def lose(self, run: Held) -> Loss:
        """End a running or stopping run's attempt as lost."""
        run.lost += 1
        verdict = rules.loss_verdict(
            run.state,
            run.reason,
            lost=run.lost,
            max_lost=run.max_lost,
            deleted=run.deleted,
            now=instant_in(self._now),
        )
        outcome = {**_NOTHING_REPORTED, "finished_at": self._now}
        self._keep(run, AttemptState.LOST, Reason.LOST, outcome)
        self._follow(run, verdict, outcome, result=None)
        self._owe(run, AttemptState.LOST)
        return Loss(run.id, run.schedule, run.tenant, run.worker, run.token, run.state)

    def _owe(self, run: Held, ended: AttemptState) -> None:
        """Leave the hook that follows, if there is one."""
        kind = rules.follow_up(run.hooks, ended, run.state)
        if kind is not None:
            self._owed.append(hooks.owed(run, kind, number=1, at=self._now))

    def _hear(self, run: Held, item: Closing) -> None:
        """Take what a hook says of the run that it follows."""
        if run.hook is None or run.parent is None or run.hook_attempt is None:
            return
        entry = rules.hook_progress(
            run.parent,
            run.hook_attempt,
            kind=run.hook,
            at=item.finished_at,
            says=item.says,
        )
        if entry is not None:
            # Whether that run is over may have been said a moment before.
            self.write()
            hooks.hear(self._connection, run.schedule, entry, now=self._now)

    def _keep(
        self,
        run: Held,
        state: AttemptState,
        reason: Reason | None,
        outcome: Parameters,
    ) -> None:
        self._attempts.append(
            {
                "run": run.id,
                "number": run.attempt,
                "tenant": run.tenant,
                "schedule": run.schedule,
                "token": run.token,
                "state": state.value,
                "reason": reason,
                "worker": run.worker,
                "worker_name": run.worker_name,
                "leased_at": run.leased_at,
                # A leased run's is that of an earlier attempt.
                "started_at": None if run.state is RunState.LEASED else run.started_at,
                "followed": run.parent if run.hook is not None else None,
                "followed_attempt": run.hook_attempt,
                **outcome,
            }
        )

    def _follow(
        self, run: Held, verdict: Verdict, outcome: Parameters, *, result: str | None
    ) -> None:
        over = verdict.state in TERMINAL
        if verdict.retry_at is not None:
            run.available_at = instant_out(verdict.retry_at)
        run.state, run.reason = verdict.state, verdict.reason
        self.left += run.place
        self._runs.append(
            {
                **outcome,
                "id": run.id,
                "state": run.state.value,
                "reason": run.reason,
                "available_at": run.available_at,
                "waiting": int(run.available_at > self._now),
                "finished_at": outcome["finished_at"] if over else None,
                "result": result if over else None,
                "failures": run.failures,
                "lost": run.lost,
                "preempted": run.preempted,
                "now": self._now,
            }
        )

    def write(self) -> None:
        """Write all that was added."""
        self._connection.execute_each(_END, self._runs)
        self._connection.execute_each(KEEP_ATTEMPT, self._attempts)
        hooks.owe(self._connection, self._owed)
        self._runs, self._attempts, self._owed = [], [], []


def offers(runs: Iterable[Held]) -> list[str]:
    """Return the ids of those that were not confirmed."""
    return [run.id for run in runs if run.state is RunState.LEASED]
