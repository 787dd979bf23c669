"""What the reference driver keeps, and the steps that several verbs share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from crony import errors
from crony.model import policy
from crony.model.lease import Loss, Ready, Standing
from crony.model.run import Attempt, Progress, Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import (
    EXECUTING,
    HELD,
    AttemptState,
    Reason,
    RunState,
)
from crony.model.worker import Key, Tenant, Worker
from crony.storage import rules
from crony.storage.codec import cut, kept
from crony.storage.contract import Answer, Page, Position

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that is live: its run is leased, running or stopping."""

    worker: str
    start_at: datetime
    expires_at: datetime


@dataclass(slots=True)
class Output:
    """What is known of the output of the attempt with one token."""

    positions: dict[str, int] = field(default_factory=dict)
    pieces: list[tuple[int, rules.Kept]] = field(default_factory=list)
    sequence: int = 0

    @property
    def kept(self) -> int:
        """The bytes that are kept."""
        return sum(len(piece.data) for _, piece in self.pieces)

    @property
    def head(self) -> int:
        """The bytes of the part that is never dropped."""
        return sum(len(piece.data) for _, piece in self.pieces if piece.head)


@dataclass(slots=True)
class Duty:
    """Who has a duty until when, and when it was last done."""

    holder: str | None
    until: datetime
    last: datetime
    note: str | None = None


class Memory:
    """All of the store's contents, under one lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.opened = False
        self.schedules: dict[str, Schedule] = {}
        #: These three stay when a schedule is deleted.
        self.used: set[str] = set()
        self.limits: dict[str, int] = {}
        self.definitions: dict[tuple[str, int], Definition] = {}
        self.runs: dict[str, Run] = {}
        self.leases: dict[str, Lease] = {}
        #: Who was given which token of which run, offers included.
        self.grants: dict[tuple[str, int], str] = {}
        self.admitted: set[str] = set()
        #: Pending runs that were not available when they became pending.
        self.waiting: set[str] = set()
        self.progress: dict[str, list[Progress]] = {}
        self.outputs: dict[tuple[str, int], Output] = {}
        self.workers: dict[str, Worker] = {}
        self.sessions: dict[str, set[str]] = {}
        self.keys: dict[str, Key] = {}
        self.tenants: dict[str, Tenant] = {}
        self.answers: dict[tuple[str, str], Answer] = {}
        self.duties: dict[str, Duty] = {}

    @contextmanager
    def verb(self) -> Iterator[None]:
        """Hold the lock of an open store."""
        with self.lock:
            if not self.opened:
                raise errors.StoreUnavailable(
                    "the store is closed", retry_after=timedelta(seconds=1)
                )
            yield

    @contextmanager
    def change(self, *schedules: str) -> Iterator[set[tuple[str, str]]]:
        """Admit anew in these schedules at the end; tell what became leasable.

        The set is complete only after the block.
        """
        touched = set(schedules)
        before = {run.id for run in self._of(touched) if self._offered(run)}
        ready: set[tuple[str, str]] = set()
        yield ready
        for schedule in touched:
            self._admit(schedule)
        for run in self._of(touched):
            if self._offered(run) and run.id not in before:
                ready.add((run.tenant, run.queue))

    def _of(self, schedules: set[str]) -> list[Run]:
        return [run for run in self.runs.values() if run.schedule in schedules]

    def _offered(self, run: Run) -> bool:
        return run.state is RunState.PENDING and run.id in self.admitted

    def _admit(self, schedule: str) -> None:
        """Decide which runs of a schedule are admitted: see the contract."""
        runs = self._of({schedule})
        held = [run for run in runs if run.state in HELD]
        pending = [run for run in runs if run.state is RunState.PENDING]
        # What has made an attempt waits for its retry, and is not overtaken.
        pending.sort(key=lambda run: (run.attempt == 0, run.due_at, run.id))
        free = max(0, self.limits.get(schedule, 0) - len(held))
        self.admitted -= {run.id for run in runs}
        self.admitted |= {run.id for run in held + pending[:free]}

    def put(self, run: Run, *, now: datetime) -> None:
        """Keep a run as it is now; what is not held any more has no lease."""
        self.runs[run.id] = run
        self.waiting.discard(run.id)
        if run.state is RunState.PENDING and run.available_at > cut(now):
            self.waiting.add(run.id)
        if run.state not in HELD:
            self.leases.pop(run.id, None)

    def definition_of(self, run: Run) -> Definition:
        """Return the definition that a run executes."""
        return self.definitions[run.schedule, run.revision]

    def full(self, run: Run) -> Run:
        """Return the run with what its attempts have written."""
        attempts = []
        for attempt in run.attempts:
            output = self.outputs.get((run.id, attempt.token), Output())
            attempts.append(
                replace(
                    attempt,
                    log_bytes=sum(output.positions.values()),
                    log_kept=output.kept,
                )
            )
        return kept(replace(run, attempts=tuple(attempts)))

    def without_offer(self, run: Run) -> Run:
        """Return a leased run without the attempt that was never confirmed."""
        return replace(run, attempt=run.attempt - 1, attempts=run.attempts[:-1])

    def take_offer(self, run: Run, *, now: datetime) -> None:
        """Make a leased run pending again."""
        self.put(replace(self.without_offer(run), state=RunState.PENDING), now=now)

    def recall_for(self, run: Run) -> frozenset[str]:
        """Take back the offer that gives way to a new run; return its worker."""
        held = [r for r in self._of({run.schedule}) if r.state in HELD]
        if len(held) < self.limits.get(run.schedule, 0):
            return frozenset()
        later = [
            (self.leases[r.id].start_at, r.id)
            for r in held
            if r.state is RunState.LEASED
            and self.leases[r.id].start_at > run.available_at + policy.CONFIRM_AHEAD
        ]
        if not later:
            return frozenset()
        _, last = max(later)
        worker = self.leases[last].worker
        self.take_offer(self.runs[last], now=run.created_at)
        return frozenset({worker})

    def lose(self, run: Run, *, now: datetime) -> Loss:
        """End a running or stopping run's attempt as lost."""
        lease = self.leases[run.id]
        lost = run.lost + 1
        verdict = rules.loss_verdict(
            run.state,
            run.reason,
            lost=lost,
            max_lost=run.max_lost,
            deleted=run.schedule not in self.schedules,
            now=now,
        )
        over = verdict.retry_at is None
        attempt = replace(
            run.attempts[-1],
            state=AttemptState.LOST,
            reason=Reason.LOST,
            finished_at=now,
        )
        after = replace(
            run,
            state=verdict.state,
            reason=verdict.reason,
            lost=lost,
            available_at=verdict.retry_at or run.available_at,
            finished_at=now if over else None,
            attempts=(*run.attempts[:-1], attempt),
        )
        self.put(after, now=now)
        return Loss(
            run.id, run.schedule, run.tenant, lease.worker, run.token, after.state
        )

    def known(self, worker: str, run: str, token: int) -> Run | None:
        """Return the run, if this worker was ever given this token of it."""
        found = self.runs.get(run)
        holder = self.workers.get(worker)
        if found is None or holder is None or found.tenant != holder.tenant:
            return None
        return found if self.grants.get((run, token)) == worker else None

    def standing(self, worker: str, run: str, token: int) -> Standing:
        """Return what a write about a running attempt meets."""
        found = self.known(worker, run, token)
        if found is None:
            return Standing.UNKNOWN
        attempt = attempt_of(found, token)
        if attempt is not None and attempt.state is AttemptState.LOST:
            return Standing.STALE
        return rules.standing(
            token, current=found.token, state=found.state, counts=EXECUTING
        )

    def worker(self, worker: str) -> Worker:
        """Return the worker."""
        try:
            return self.workers[worker]
        except KeyError:
            raise errors.NotFound("worker", worker) from None


def attempt_of(run: Run, token: int) -> Attempt | None:
    """Return the run's attempt under that token."""
    return next((a for a in run.attempts if a.token == token), None)


def summary(run: Run) -> Run:
    """Return the run without its attempts and its result."""
    return kept(replace(run, attempts=(), result=None))


def paged(
    items: Iterable[Item],
    key: Callable[[Item], Position],
    *,
    order: Callable[[Position], tuple[object, ...]],
    limit: int,
    after: Position | None,
) -> Page[Item]:
    """Return the ``limit`` items that come after a position.

    ``order`` turns a position into what sorts like it.
    """

    def place(item: Item) -> tuple[object, ...]:
        return order(key(item))

    found = sorted(items, key=place)
    if after is not None:
        found = [item for item in found if place(item) > order(after)]
    more = len(found) > limit
    return Page(
        tuple(kept(item) for item in found[:limit]),
        key(found[limit - 1]) if more and limit else None,
    )


def ready(lines: set[tuple[str, str]]) -> Ready:
    """Return the lines as the contract names them."""
    return frozenset(lines)
