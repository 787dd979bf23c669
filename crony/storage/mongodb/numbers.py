"""The numbers of a tenant, or of all: read off the heads, not counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import cast

from crony.model.state import RunState, ScheduleState
from crony.storage.codec import instant_out, maybe_instant_in
from crony.storage.contract import QueueStats, Stats
from crony.storage.documents import Document
from crony.storage.mongodb import kinds, tallies
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.work import Work

_LIVE = (RunState.PENDING, RunState.LEASED, RunState.RUNNING, RunState.STOPPING)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one state of a tenant says, by queue."""

    schedules: Mapping[str, int]
    runs: Mapping[RunState, Mapping[str, int]]
    oldest: Mapping[str, int]


def _look(work: Work, *, now: int) -> _Seen:
    runs = {state: work.numbers(f"{tallies.RUNS}{state}/") for state in _LIVE}
    oldest = work.find_each(
        kinds.RUNS,
        "queue",
        runs[RunState.PENDING],
        {"state": RunState.PENDING.value, "due_at": {"$lte": now}},
        sort=[("due_at", 1)],
        limit=1,
    )
    return _Seen(
        schedules=work.numbers(tallies.SCHEDULES),
        runs=runs,
        oldest={
            queue: cast("int", found[0]["due_at"])
            for queue, found in oldest.items()
            if found
        },
    )


class _Sum:
    """The numbers of some tenants, as they are met."""

    def __init__(self) -> None:
        self._schedules: Counter[str] = Counter()
        self._runs: Counter[tuple[str, RunState]] = Counter()
        self._slots: Counter[str] = Counter()
        self._all_slots = 0
        self._oldest: dict[str, int] = {}

    def add(self, seen: _Seen) -> None:
        """Add a tenant's."""
        self._schedules.update(seen.schedules)
        for state, counts in seen.runs.items():
            for queue, count in counts.items():
                self._runs[queue, state] += count
        for queue, due_at in seen.oldest.items():
            self._oldest[queue] = min(due_at, self._oldest.get(queue, due_at))

    def add_worker(self, worker: Document) -> None:
        """Add a worker's slots."""
        slots = cast("int", worker["slots"])
        self._all_slots += slots
        self._slots.update(dict.fromkeys(cast("list[str]", worker["queues"]), slots))

    def stats(self) -> Stats:
        """Return all of them."""
        queues = {queue for queue, _ in self._runs} | self._slots.keys()
        lines = tuple(self._line(queue) for queue in sorted(queues))
        leased = sum(line.leased for line in lines)
        running = sum(line.running for line in lines)
        return Stats(
            schedules={state: self._schedules[state.value] for state in ScheduleState},
            pending=sum(line.pending for line in lines),
            leased=leased,
            running=running,
            oldest_due=maybe_instant_in(min(self._oldest.values(), default=None)),
            slots=self._all_slots,
            slots_used=leased + running,
            queues=lines,
        )

    def _line(self, queue: str) -> QueueStats:
        pending, leased, *executing = (self._runs[queue, state] for state in _LIVE)
        return QueueStats(
            queue=queue,
            pending=pending,
            leased=leased,
            running=sum(executing),
            oldest_due=maybe_instant_in(self._oldest.get(queue)),
            slots=self._slots[queue],
        )


def stats(engine: Engine, tenant: str | None, *, now: datetime) -> Stats:
    """Return the numbers of a tenant, or of all."""
    total = _Sum()
    look = partial(_look, now=instant_out(now))
    for name in _all(engine) if tenant is None else [tenant]:
        total.add(engine.read(name, look))
    of = {"tenant": {"$gt": ""} if tenant is None else tenant, "name": {"$gt": ""}}
    for worker in engine.database.find(kinds.WORKERS, of, fields=["queues", "slots"]):
        total.add_worker(worker)
    return total.stats()


def _all(engine: Engine) -> list[str]:
    heads = engine.database.find(kinds.HEADS, {"_id": {"$gt": ""}}, fields=["_id"])
    return [cast("str", head["_id"]) for head in heads]
