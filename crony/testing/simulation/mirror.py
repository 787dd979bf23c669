"""The runs as the store's events tell of them, kept beside the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from crony.model.event import Event
from crony.model.policy import NO_LIMIT
from crony.model.run import Run
from crony.model.state import HELD, TRANSITIONS, Origin, RunState
from crony.storage.contract import Store
from crony.testing.simulation.faults import Violation

TENANT = "default"

_STATES = frozenset(state.value for state in RunState)


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a run: what it was, and what it is."""

    before: Run | None
    after: Run


class Mirror:
    """Every run in its newest state, and whose hands it is in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.sequence = 0
        self.runs: dict[str, Run] = {}
        self.by_schedule: dict[str, dict[str, Run]] = {}
        #: Those that are not over.
        self.live: dict[str, Run] = {}
        self.events: list[Event] = []
        #: The worker that a run was given to last.
        self.holder: dict[str, str] = {}
        #: How many may be in hands at once.
        self.limits: dict[str, int] = {}
        self.group_limits: dict[str, int | None] = {}
        self.tenant_limit: int | None = None
        #: Runs whose overlap was decided on.
        self.decided: set[str] = set()

    def catch_up(self) -> list[Step]:
        """Read the events that are new; return the changes of runs."""
        steps: list[Step] = []
        while True:
            page = self._store.events.page(TENANT, after=self.sequence, limit=200)
            for event in page:
                if event.sequence <= self.sequence:
                    raise Violation("events", f"{event.sequence} is out of order")
                self.sequence = event.sequence
                self.events.append(event)
                word = event.type.removeprefix("run.")
                if event.run is not None and word in _STATES:
                    steps.append(self._take(event, event.run))
            if len(page) < 200:
                return steps

    def _take(self, event: Event, run: Run) -> Step:
        before = self.runs.get(run.id)
        if f"run.{run.state}" != event.type:
            raise Violation(
                "events", f"{event.type} tells of a run that is {run.state}"
            )
        if before is not None and run.state not in TRANSITIONS[before.state]:
            raise Violation(
                "illegal_step", f"{run.id} went from {before.state} to {run.state}"
            )
        if before is not None and run.token < before.token:
            raise Violation("fenced", f"{run.id}: the token fell to {run.token}")
        self.runs[run.id] = run
        self.by_schedule.setdefault(run.schedule, {})[run.id] = run
        self.live.pop(run.id, None)
        if not run.over:
            self.live[run.id] = run
        if before is not None and before.state is RunState.WITHDRAWN:
            self.decided.discard(run.id)
        return Step(before, run)

    def held(self) -> Iterator[Run]:
        """Meet the runs in workers' hands that count towards limits."""
        for run in self.live.values():
            if run.state in HELD and run.origin is not Origin.HOOK:
                yield run

    def limit(self, schedule: str) -> int:
        """Return how many of a schedule may be in workers' hands."""
        return self.limits.get(schedule, NO_LIMIT)

    def leasable(self, horizon: datetime, *, now: datetime) -> list[Run]:
        """Return what is pending, admitted and available, in the order of leasing."""
        found: list[Run] = []
        taken: dict[str, int] = {}
        for run in self.held():
            taken[run.schedule] = taken.get(run.schedule, 0) + 1
        waiting: dict[str, list[Run]] = {}
        for run in self.live.values():
            if run.state is RunState.PENDING:
                if run.origin is Origin.HOOK:
                    found.append(run)
                else:
                    waiting.setdefault(run.schedule, []).append(run)
        for schedule, runs in waiting.items():
            runs.sort(key=lambda run: (run.attempt == 0, run.due_at, run.id))
            free = max(0, self.limit(schedule) - taken.get(schedule, 0))
            found += runs[:free]
        found = [run for run in found if run.available_at <= horizon]
        return sorted(found, key=lambda run: (run.available_at > now, *_rank(run)))


def _rank(run: Run) -> tuple[object, ...]:
    if run.catch_up:
        turn = run.created_at + timedelta(days=1)
    else:
        turn = run.due_at + timedelta(hours=1)
        turn = min(turn, run.deadline_at or turn)
    return (-run.priority, turn, run.catch_up, run.due_at, run.id)
