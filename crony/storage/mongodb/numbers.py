"""The numbers of a tenant, or of all: read off the heads, not counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import cast

from crony.model.state import RunState, ScheduleState
from crony.storage.codec import instant_out, maybe_instant_in
from crony.storage.contract import QueueStats, Stats
from crony.storage.documents import Document
from crony.storage.mongodb import kinds, tallies
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.work import Work

_LIVE = (RunState.PENDING, RunState.LEASED, RunState.RUNNING, RunState.STOPPING)


class _Sum:
    """The numbers of some tenants, as they are met."""

    def __init__(self, *, now: datetime) -> None:
        self._now = instant_out(now)
        self._schedules: Counter[str] = Counter()
        self._runs: Counter[tuple[str, RunState]] = Counter()
        self._slots: Counter[str] = Counter()
        self._all_slots = 0
        self._oldest: dict[str, int] = {}

    def add(self, work: Work) -> None:
        """Add a tenant's."""
        self._schedules.update(work.numbers(tallies.SCHEDULES))
        for state in _LIVE:
            for queue, count in work.numbers(f"{tallies.RUNS}{state}/").items():
                self._runs[queue, state] += count
        self._add_oldest(work)

    def _add_oldest(self, work: Work) -> None:
        oldest = work.find_each(
            kinds.RUNS,
            "queue",
            work.numbers(f"{tallies.RUNS}{RunState.PENDING}/"),
            {"state": RunState.PENDING.value, "due_at": {"$lte": self._now}},
            sort=[("due_at", 1)],
            limit=1,
        )
        for queue, runs in oldest.items():
            dues = [cast("int", run["due_at"]) for run in runs]
            if queue in self._oldest:
                dues.append(self._oldest[queue])
            if dues:
                self._oldest[queue] = min(dues)

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
    total = _Sum(now=now)
    for work in _all(engine) if tenant is None else [engine.glance(tenant)]:
        total.add(work)
    of = {"tenant": {"$gt": ""} if tenant is None else tenant, "name": {"$gt": ""}}
    for worker in engine.database.find(kinds.WORKERS, of, fields=["queues", "slots"]):
        total.add_worker(worker)
    return total.stats()


def _all(engine: Engine) -> Iterator[Work]:
    heads = engine.database.find(kinds.HEADS, {"_id": {"$gt": ""}}, fields=["_id"])
    for head in heads:
        yield engine.glance(cast("str", head["_id"]))
