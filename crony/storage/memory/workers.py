"""Workers and keys, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from crony import errors
from crony.model.worker import Key, Role, Worker
from crony.storage import rules
from crony.storage.codec import cut, instant_out, kept
from crony.storage.contract import Keys, Page, Position, Workers
from crony.storage.memory.paging import as_it_is, paged
from crony.storage.memory.state import Memory


class MemoryWorkers(Workers):
    """Workers in a dict."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def register(self, worker: Worker, key: Key, *, quota: int | None) -> Worker:
        memory = self._memory
        with memory.verb():
            mine = [w for w in memory.workers.values() if w.tenant == worker.tenant]
            known = next((w for w in mine if w.name == worker.name), None)
            if known is not None and known.machine != worker.machine:
                raise errors.NameTaken("worker", worker.name, holder=known.id)
            if known is None and quota is not None and len(mine) >= quota:
                raise errors.QuotaExceeded(
                    f"the tenant has {quota} workers, which is all it may have",
                    retry_after=rules.QUOTA_PAUSE,
                )
            if known is not None:
                worker = replace(
                    worker,
                    id=known.id,
                    registered_at=known.registered_at,
                    session=known.session,
                    sequence=known.sequence,
                )
                self._forget_keys(known.id)
            stored = kept(replace(worker, draining=False))
            memory.see(stored, now=stored.seen_at)
            memory.keys[key.id] = kept(replace(key, worker=worker.id))
            memory.tell_worker("registered", stored, now=stored.seen_at)
            return kept(stored)

    def _forget_keys(self, worker: str) -> None:
        memory = self._memory
        memory.keys = {
            name: key for name, key in memory.keys.items() if key.worker != worker
        }

    def find(self, tenant: str, reference: str) -> Worker | None:
        with self._memory.verb():
            return kept(self._find(tenant, reference))

    def _find(self, tenant: str, reference: str) -> Worker | None:
        for worker in self._memory.workers.values():
            if worker.tenant == tenant and reference in (worker.id, worker.name):
                return worker
        return None

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Worker]:
        with self._memory.verb():
            return paged(
                [w for w in self._memory.workers.values() if w.tenant == tenant],
                lambda worker: (worker.name, worker.id),
                order=as_it_is,
                limit=limit,
                after=after,
            )

    def running(
        self, tenant: str, workers: Sequence[str]
    ) -> Mapping[str, Sequence[str]]:
        memory = self._memory
        with memory.verb():
            leases = {
                run: lease
                for run, lease in memory.leases.items()
                if memory.runs[run].tenant == tenant
            }
            return {
                worker: sorted(run for run, of in leases.items() if of.worker == worker)
                for worker in workers
            }

    def drain(self, tenant: str, worker: str, *, now: datetime) -> Worker | None:
        with self._memory.verb():
            found = self._find(tenant, worker)
            if found is None:
                return None
            drained = replace(found, draining=True)
            self._memory.workers[found.id] = drained
            if not found.draining:
                self._memory.tell_worker("draining", drained, now=now)
            return kept(drained)

    def delete(self, tenant: str, worker: str, *, now: datetime) -> bool:
        with self._memory.verb():
            found = self._find(tenant, worker)
            if found is None:
                return False
            del self._memory.workers[found.id]
            self._memory.sessions.pop(found.id, None)
            self._memory.lost.discard(found.id)
            self._forget_keys(found.id)
            self._memory.tell_worker("deleted", found, now=now)
            return True

    def lose(self, *, before: datetime, limit: int, now: datetime) -> Sequence[Worker]:
        memory = self._memory
        with memory.verb():
            unseen = [
                worker
                for worker in memory.workers.values()
                if worker.seen_at < cut(before) and worker.id not in memory.lost
            ]
            unseen.sort(key=lambda worker: (worker.seen_at, worker.id))
            for worker in unseen[:limit]:
                memory.lost.add(worker.id)
                memory.tell_worker("lost", worker, now=now)
            return kept(tuple(unseen[:limit]))

    def satisfying(
        self, tenant: str, *, queue: str, requires: Mapping[str, str]
    ) -> bool:
        with self._memory.verb():
            return any(
                worker.tenant == tenant
                and queue in worker.queues
                and rules.carries(worker.labels, requires.items())
                for worker in self._memory.workers.values()
            )


class MemoryKeys(Keys):
    """Keys in a dict."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def insert(self, key: Key) -> bool:
        with self._memory.verb():
            if key.id in self._memory.keys:
                return False
            self._memory.keys[key.id] = kept(key)
            return True

    def by_digest(self, digest: str) -> Key | None:
        with self._memory.verb():
            keys = self._memory.keys.values()
            return kept(next((key for key in keys if key.digest == digest), None))

    def find(self, tenant: str, key: str) -> Key | None:
        with self._memory.verb():
            found = self._memory.keys.get(key)
            return kept(found) if found and found.tenant == tenant else None

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Key]:
        with self._memory.verb():
            return paged(
                [
                    key
                    for key in self._memory.keys.values()
                    if key.tenant == tenant and key.role is not Role.WORKER
                ],
                lambda key: (instant_out(key.created_at), key.id),
                order=as_it_is,
                limit=limit,
                after=after,
            )

    def touch(self, tenant: str, used: Mapping[str, datetime]) -> None:
        with self._memory.verb():
            for key, used_at in used.items():
                found = self._memory.keys.get(key)
                if found is not None and found.tenant == tenant:
                    newest = max(found.used_at or cut(used_at), cut(used_at))
                    self._memory.keys[key] = replace(found, used_at=newest)

    def delete(self, tenant: str, key: str) -> bool:
        with self._memory.verb():
            found = self._memory.keys.get(key)
            if found is None or found.tenant != tenant:
                return False
            del self._memory.keys[key]
            return True
