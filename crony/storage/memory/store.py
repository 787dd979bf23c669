"""The reference store as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from crony import clock
from crony.model.run import Run
from crony.model.state import RunState, ScheduleState
from crony.model.worker import Quotas, Tenant
from crony.storage.codec import cut
from crony.storage.contract import Capabilities, QueueStats, Stats, Store
from crony.storage.memory.events import MemoryEvents
from crony.storage.memory.groups import MemoryGroups, MemoryProfiles
from crony.storage.memory.leases import MemoryLeases
from crony.storage.memory.logs import MemoryLogs
from crony.storage.memory.moving import MemoryMoving
from crony.storage.memory.runs import MemoryRuns
from crony.storage.memory.schedules import MemorySchedules
from crony.storage.memory.state import Memory
from crony.storage.memory.tenants import (
    MemoryAnswers,
    MemoryDuties,
    MemoryTenants,
    add_tenant,
)
from crony.storage.memory.webhooks import MemoryWebhooks
from crony.storage.memory.workers import MemoryKeys, MemoryWorkers


class MemoryStore(Store):
    """A store that lives as long as its object."""

    def __init__(self) -> None:
        self._memory = memory = Memory()
        self.schedules = MemorySchedules(memory)
        self.runs = MemoryRuns(memory)
        self.leases = MemoryLeases(memory)
        self.logs = MemoryLogs(memory)
        self.workers = MemoryWorkers(memory)
        self.keys = MemoryKeys(memory)
        self.tenants = MemoryTenants(memory)
        self.groups = MemoryGroups(memory)
        self.profiles = MemoryProfiles(memory)
        self.events = MemoryEvents(memory)
        self.webhooks = MemoryWebhooks(memory)
        self.answers = MemoryAnswers(memory)
        self.duties = MemoryDuties(memory)
        self.moving = MemoryMoving(memory)

    @classmethod
    def from_url(cls, url: str, *, home: Path | None) -> Store:  # noqa: ARG003
        """Return an empty store; there is nothing an URL could say of it."""
        return cls()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            durable=False,
            shared=False,
            remote=False,
            notifies=False,
            keeps_tokens=True,
        )

    def migrate(self) -> None:
        with self._memory.lock:
            now = cut(self.now())
            if "default" not in self._memory.tenants:
                default = Tenant(
                    name="default",
                    revision=1,
                    quotas=Quotas(),
                    created_at=now,
                    updated_at=now,
                )
                add_tenant(self._memory, default)

    def open(self) -> None:
        with self._memory.lock:
            self._memory.opened = True

    def close(self) -> None:
        with self._memory.lock:
            self._memory.opened = False

    def ping(self) -> None:
        with self._memory.verb():
            pass

    def now(self) -> datetime:
        return clock.host_now()

    def tell(self, news: bytes) -> None:
        pass

    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        pass

    def cannot_promise(self) -> Sequence[str]:
        return ("the store is kept in memory: nothing survives the process",)

    def stats(self, tenant: str | None, *, now: datetime) -> Stats:
        memory = self._memory
        with memory.verb():
            runs = [r for r in memory.runs.values() if tenant in (None, r.tenant)]
            schedules = Counter(
                s.state for s in memory.schedules.values() if tenant in (None, s.tenant)
            )
            workers = [w for w in memory.workers.values() if tenant in (None, w.tenant)]
            live = [r for r in runs if not r.over and r.state is not RunState.WITHDRAWN]
            names = {r.queue for r in live} | {q for w in workers for q in w.queues}
            queues = tuple(
                _queue_stats(
                    name,
                    [run for run in live if run.queue == name],
                    slots=sum(w.slots for w in workers if name in w.queues),
                    now=now,
                )
                for name in sorted(names)
            )
            whole = _queue_stats("", live, slots=sum(w.slots for w in workers), now=now)
            return Stats(
                schedules={state: schedules[state] for state in ScheduleState},
                pending=whole.pending,
                leased=whole.leased,
                running=whole.running,
                oldest_due=whole.oldest_due,
                slots=whole.slots,
                slots_used=whole.leased + whole.running,
                queues=queues,
            )


def _queue_stats(
    queue: str, runs: Sequence[Run], *, slots: int, now: datetime
) -> QueueStats:
    states = Counter(run.state for run in runs)
    due = [
        run.due_at
        for run in runs
        if run.state is RunState.PENDING and run.due_at <= cut(now)
    ]
    return QueueStats(
        queue=queue,
        pending=states[RunState.PENDING],
        leased=states[RunState.LEASED],
        running=states[RunState.RUNNING] + states[RunState.STOPPING],
        oldest_due=min(due, default=None),
        slots=slots,
    )
