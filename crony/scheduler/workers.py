"""Workers as people handle them: registered, listed, drained and removed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crony import errors, log
from crony.clock import Clock, cut
from crony.model import ids
from crony.model.worker import Key, Role, Worker, WorkerState, worker_state
from crony.scheduler.keys import minted
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Page, Position, Store

_log = log.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """A worker, how it stands, and the runs it has."""

    worker: Worker
    state: WorkerState
    slots_used: int
    running: Sequence[str]


class Workers:
    """What people, and workers about to be, do with workers."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        timing: Timing,
        wakes: Wakes,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store = store
        self._clock = clock
        self._timing = timing
        self._wakes = wakes
        self._entropy = entropy

    def register(
        self,
        tenant: str,
        *,
        name: str,
        machine: str,
        queues: Sequence[str],
        labels: Mapping[str, str],
        slots: int,
        sandbox_level: str,
        version: str,
    ) -> tuple[Worker, str]:
        """Register a worker; return it, and the secret of its key.

        The same name and machine again is the same worker with a new key. Raises
        ``NameTaken`` for a name of another machine, ``QuotaExceeded``.
        """
        found = self._store.tenants.find(tenant)
        if found is None:
            raise errors.NotFound("tenant", tenant)
        now = cut(self._clock.now())
        worker = Worker(
            id=ids.timed(ids.WORKER, now, entropy=self._entropy(ids.ENTROPY)),
            tenant=tenant,
            name=name,
            machine=machine,
            queues=tuple(queues),
            labels=dict(labels),
            slots=slots,
            sandbox_level=sandbox_level,
            version=version,
            registered_at=now,
            seen_at=now,
        )
        key, secret = self._key_of(worker, now)
        stored = self._store.workers.register(worker, key, quota=found.quotas.workers)
        self._wakes.publish_events()
        _log.info("worker registered", tenant=tenant, worker=stored.id, name=name)
        return stored, secret

    def _key_of(self, worker: Worker, now: datetime) -> tuple[Key, str]:
        return minted(
            worker.tenant,
            role=Role.WORKER,
            description=f"worker {worker.name}",
            expires_at=None,
            now=now,
            entropy=self._entropy,
            worker=worker.id,
        )

    def find(self, tenant: str, reference: str) -> Worker:
        """Return the worker of that id or name; raises ``NotFound``."""
        found = self._store.workers.find(tenant, reference)
        if found is None:
            raise errors.NotFound("worker", reference)
        return found

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Worker]:
        """Return some of the workers, by name."""
        return self._store.workers.page(tenant, limit=limit, after=after)

    def view(self, worker: Worker) -> WorkerView:
        """Return a worker with its state and runs."""
        return self.views([worker])[0]

    def views(self, workers: Sequence[Worker]) -> list[WorkerView]:
        """Return workers of a tenant with their state and runs, in the order given."""
        now = self._clock.now()
        running: Mapping[str, Sequence[str]] = {}
        if workers:
            names = [worker.id for worker in workers]
            running = self._store.workers.running(workers[0].tenant, names)
        return [
            WorkerView(
                worker=worker,
                state=worker_state(worker, now=now, lease_ttl=self._timing.lease_ttl),
                slots_used=len(running.get(worker.id, ())),
                running=running.get(worker.id, ()),
            )
            for worker in workers
        ]

    def by_state(self, tenant: str) -> Mapping[WorkerState, int]:
        """Return how many workers of a tenant stand how."""
        now = self._clock.now()
        counts = Counter(dict.fromkeys(WorkerState, 0))
        after: Position | None = None
        while True:
            page = self._store.workers.page(tenant, limit=1000, after=after)
            counts.update(
                worker_state(worker, now=now, lease_ttl=self._timing.lease_ttl)
                for worker in page.items
            )
            after = page.next
            if after is None:
                return counts

    def drain(self, tenant: str, reference: str) -> Worker:
        """Give a worker nothing new; what it has goes on."""
        found = self.find(tenant, reference)
        now = cut(self._clock.now())
        drained = self._store.workers.drain(tenant, found.id, now=now)
        if drained is None:
            raise errors.NotFound("worker", reference)
        self._wakes.publish_worker(drained.id)
        return drained

    def delete(self, tenant: str, reference: str) -> None:
        """Remove a worker and its keys."""
        found = self.find(tenant, reference)
        now = cut(self._clock.now())
        if not self._store.workers.delete(tenant, found.id, now=now):
            raise errors.NotFound("worker", reference)
        _log.info("worker deleted", tenant=tenant, worker=found.id)
        self._wakes.publish_worker(found.id)
