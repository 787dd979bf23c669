"""Workers, in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from crony import errors
from crony.model.worker import Key, Worker
from crony.storage.codec import instant_out
from crony.storage.contract import Page, Position, Workers
from crony.storage.documents import document_out
from crony.storage.redis import keys, tenantwise
from crony.storage.redis.engine import Engine
from crony.storage.redis.paging import page_of
from crony.storage.redis.values import value_in


class RedisWorkers(Workers):
    """Workers as records of their tenant."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(self, worker: Worker, key: Key, *, quota: int | None) -> Worker:
        keys.point(self._engine, key)
        try:
            done = self._engine.call(
                "worker_register",
                worker.tenant,
                worker=document_out(worker),
                key=document_out(key),
                quota=quota,
            )
        except (errors.Conflict, errors.QuotaExceeded):
            # It was refused: the secret leads nowhere.
            keys.unpoint(self._engine, [key.digest])
            raise
        keys.unpoint(self._engine, done["digests"])
        return value_in(Worker, done["worker"])

    def find(self, tenant: str, reference: str) -> Worker | None:
        found = self._engine.call("worker_find", tenant, reference=reference)
        return None if found is None else value_in(Worker, found)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Worker]:
        found = self._engine.call(
            "worker_page",
            tenant,
            limit=limit,
            after=None if after is None else after[0],
        )
        return page_of(
            found,
            limit=limit,
            read=lambda record: value_in(Worker, record),
            place=lambda last: (last.name, last.id),
        )

    def running(
        self, tenant: str, workers: Sequence[str]
    ) -> Mapping[str, Sequence[str]]:
        found = self._engine.call("worker_running", tenant, workers=list(workers))
        return {
            worker: sorted(runs) for worker, runs in zip(workers, found, strict=True)
        }

    def drain(self, tenant: str, worker: str, *, now: datetime) -> Worker | None:
        found = self._engine.call(
            "worker_drain", tenant, reference=worker, now=instant_out(now)
        )
        return None if found is None else value_in(Worker, found)

    def delete(self, tenant: str, worker: str, *, now: datetime) -> bool:
        digests = self._engine.call(
            "worker_delete", tenant, reference=worker, now=instant_out(now)
        )
        if digests is not None:
            keys.unpoint(self._engine, digests)
        return digests is not None

    def lose(self, *, before: datetime, limit: int, now: datetime) -> Sequence[Worker]:
        lost: list[Worker] = []
        unseen = ("seen", instant_out(before) - 1)
        for tenant in tenantwise.due(self._engine, unseen):
            if len(lost) >= limit:
                break
            found = self._engine.call(
                "worker_lose",
                tenant,
                before=instant_out(before),
                limit=limit - len(lost),
                now=instant_out(now),
            )
            lost += [value_in(Worker, record) for record in found]
        return tuple(lost)

    def satisfying(
        self, tenant: str, *, queue: str, requires: Mapping[str, str]
    ) -> bool:
        return bool(
            self._engine.call(
                "worker_satisfying", tenant, queue=queue, requires=dict(requires)
            )
        )
