"""Workers, in MongoDB."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from crony import errors
from crony.model.worker import Key, Worker
from crony.storage import rules
from crony.storage.codec import cut, instant_out
from crony.storage.contract import Page, Position, Workers
from crony.storage.documents import Document, document_in, document_out
from crony.storage.mongodb import events, keys, kinds, paging
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.work import Work, id_of

#: How many workers a tenant has.
COUNT = "workers"


class MongoWorkers(Workers):
    """Workers as documents; ``lost`` says that one was noted as such."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(self, worker: Worker, key: Key, *, quota: int | None) -> Worker:
        def register(work: Work) -> Worker:
            known = _named(work, worker.name)
            stored = replace(worker, draining=False)
            if known is None:
                _check_quota(work, quota)
                work.add(COUNT, 1)
                work.get(kinds.WORKERS, worker.id)
            else:
                stored = _again(_worker(known), stored)
                keys.forget(work, stored.id)
            kept = put(work, stored)
            work.get(kinds.KEYS, key.id)
            keys.put(work, replace(key, worker=stored.id))
            events.of_worker(work, stored, "registered", now=stored.seen_at)
            return _worker(kept)

        return self._engine.verb(worker.tenant, register)

    def find(self, tenant: str, reference: str) -> Worker | None:
        found = _find(self._engine.glance(tenant), reference)
        return None if found is None else _worker(found)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Worker]:
        return paging.page(
            self._engine.glance(tenant),
            kinds.WORKERS,
            {},
            by="name",
            read=_worker,
            limit=limit,
            after=after,
        )

    def running(
        self, tenant: str, workers: Sequence[str]
    ) -> Mapping[str, Sequence[str]]:
        held = self._engine.glance(tenant).find(
            kinds.RUNS,
            {"holder": {"$in": list(workers)}},
            fields=["holder"],
        )
        running: dict[str, list[str]] = {worker: [] for worker in workers}
        for run in held:
            running[cast("str", run["holder"])].append(id_of(run))
        return {worker: sorted(runs) for worker, runs in running.items()}

    def drain(self, tenant: str, worker: str, *, now: datetime) -> Worker | None:
        def drain(work: Work) -> Worker | None:
            found = _find(work, worker)
            if found is None:
                return None
            drained = replace(_worker(found), draining=True)
            if not found["draining"]:
                work.put(kinds.WORKERS, drained.id, {**found, "draining": True})
                events.of_worker(work, drained, "draining", now=now)
            return drained

        return self._engine.verb(tenant, drain)

    def delete(self, tenant: str, worker: str, *, now: datetime) -> bool:
        def delete(work: Work) -> bool:
            document = _find(work, worker)
            if document is None:
                return False
            found = _worker(document)
            work.delete(kinds.WORKERS, found.id)
            work.add(COUNT, -1)
            keys.forget(work, found.id)
            for session in work.find(kinds.SESSIONS, {"worker": found.id}):
                work.delete(kinds.SESSIONS, id_of(session))
            events.of_worker(work, found, "deleted", now=now)
            return True

        return self._engine.verb(tenant, delete)

    def lose(self, *, before: datetime, limit: int, now: datetime) -> Sequence[Worker]:
        unseen = {"lost": False, "seen_at": {"$lt": instant_out(before)}}
        by_tenant: defaultdict[str, list[str]] = defaultdict(list)
        for found in self._engine.everywhere(
            kinds.WORKERS,
            unseen,
            sort=[("seen_at", 1), ("id", 1)],
            limit=limit,
            fields=["tenant"],
        ):
            by_tenant[cast("str", found["tenant"])].append(id_of(found))

        def lose(work: Work) -> list[Worker]:
            ids = {"id": {"$in": by_tenant[work.tenant]}}
            lost = work.find(kinds.WORKERS, {**unseen, **ids})
            for document in lost:
                work.put(kinds.WORKERS, id_of(document), {**document, "lost": True})
                events.of_worker(work, _worker(document), "lost", now=now)
            return [_worker(document) for document in lost]

        lost = [w for tenant in by_tenant for w in self._engine.verb(tenant, lose)]
        return tuple(sorted(lost, key=lambda worker: (worker.seen_at, worker.id)))

    def satisfying(
        self, tenant: str, *, queue: str, requires: Mapping[str, str]
    ) -> bool:
        serving = self._engine.glance(tenant).find(kinds.WORKERS, {"queues": queue})
        return any(
            rules.carries(_worker(document).labels, requires.items())
            for document in serving
        )


def require(work: Work, worker: str) -> Worker:
    """Return the worker, or raise ``NotFound``."""
    found = work.get(kinds.WORKERS, worker)
    if found is None:
        raise errors.NotFound("worker", worker)
    return _worker(found)


def see(work: Work, worker: Worker, *, now: datetime) -> Worker:
    """Keep a worker, read before, that was seen just now; return it."""
    seen = replace(worker, seen_at=max(worker.seen_at, cut(now)))
    return _worker(put(work, seen))


def put(work: Work, worker: Worker) -> Document:
    """Keep a worker that is not lost, and was read before."""
    return work.put(kinds.WORKERS, worker.id, {**document_out(worker), "lost": False})


def _check_quota(work: Work, quota: int | None) -> None:
    if quota is not None and work.number(COUNT) >= quota:
        raise errors.QuotaExceeded(
            f"the tenant has {quota} workers, which is all it may have",
            retry_after=rules.QUOTA_PAUSE,
        )


def _again(known: Worker, worker: Worker) -> Worker:
    """Return a worker as it stands once it has registered again."""
    if known.machine != worker.machine:
        raise errors.NameTaken("worker", worker.name, holder=known.id)
    return replace(
        worker,
        id=known.id,
        registered_at=known.registered_at,
        session=known.session,
        sequence=known.sequence,
    )


def _find(work: Work, reference: str) -> Document | None:
    return work.get(kinds.WORKERS, reference) or _named(work, reference)


def _named(work: Work, name: str) -> Document | None:
    found = work.find(kinds.WORKERS, {"name": name}, limit=1)
    return found[0] if found else None


def _worker(document: Document) -> Worker:
    return document_in(Worker, document)
