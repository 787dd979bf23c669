"""Workers, in SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from crony import errors
from crony.model.worker import Key, Worker
from crony.storage import rules
from crony.storage.codec import dumps, instant_in, instant_out
from crony.storage.contract import Page, Position, Workers
from crony.storage.sql import events, keys
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import each, in_hands, members, text, unpacked
from crony.storage.sql.noun import Noun
from crony.storage.sql.paging import page_of
from crony.storage.sql.rows import Columns, ids

_COLUMNS = (
    "id, tenant, name, machine, queues, labels, slots, sandbox_level, version,"
    " draining, session, sequence, registered_at, seen_at"
)
_BY_ID = text(f"SELECT {_COLUMNS} FROM workers WHERE id = :worker AND tenant = :tenant")
_FIND = text(
    f"SELECT {_COLUMNS} FROM (SELECT :reference AS reference"
    " UNION ALL SELECT n.id FROM workers n"
    " WHERE n.tenant = :tenant AND n.name = :reference) named"
    " CROSS JOIN workers WHERE id = named.reference AND tenant = :tenant"
)
_NAMED = text("SELECT id, machine FROM workers WHERE tenant = :tenant AND name = :name")
_COUNT = text("SELECT count(*) FROM workers WHERE tenant = :tenant")
_INSERT = text(
    f"INSERT INTO workers ({_COLUMNS}) VALUES (:id, :tenant, :name, :machine,"
    " :queues, :labels, :slots, :sandbox_level, :version, 0, :session, :sequence,"
    " :registered_at, :seen_at)"
)
_RENEW = text(
    "UPDATE workers SET queues = :queues, labels = :labels, slots = :slots,"
    " sandbox_level = :sandbox_level, version = :version, draining = 0, lost = 0,"
    " seen_at = :seen_at WHERE id = :id"
)
_PAGE = text(
    f"SELECT {_COLUMNS} FROM workers WHERE tenant = :tenant"
    " AND (name, id) > (:name, :id) ORDER BY name, id LIMIT :limit"
)
_RUNNING = text(
    f"SELECT w.value, r.id, r.tenant FROM {each('workers', 'w')} JOIN runs r"
    f" ON r.worker = w.value AND {in_hands('r.')}"
    " ORDER BY r.id"
)
_DRAIN = text("UPDATE workers SET draining = 1 WHERE id = :id")
_UNSEEN = text(
    f"SELECT {_COLUMNS} FROM workers WHERE lost = 0 AND seen_at < :before"
    " ORDER BY seen_at, id LIMIT :limit"
)
_LOSE = text("UPDATE workers SET lost = 1 WHERE id = :id")
_DELETE = text("DELETE FROM workers WHERE id = :id")
_FORGET_SESSIONS = text("DELETE FROM sessions WHERE worker = :id")
_SATISFYING = text(
    "SELECT EXISTS (SELECT 1 FROM workers w WHERE w.tenant = :tenant"
    f" AND EXISTS (SELECT 1 FROM {unpacked('w.queues', 'q')} WHERE q.value = :queue)"
    f" AND NOT EXISTS (SELECT 1 FROM {members(':requires', 'n')} WHERE NOT EXISTS"
    f" (SELECT 1 FROM {members('w.labels', 'l')}"
    " WHERE l.key = n.key AND l.value = n.value)))"
)


class SqlWorkers(Noun, Workers):
    """Workers in a table of their own."""

    def register(self, worker: Worker, key: Key, *, quota: int | None) -> Worker:
        with self._database.writing(worker.tenant) as connection:
            asked = {"tenant": worker.tenant, "name": worker.name}
            known = connection.execute(_NAMED, asked).first()
            if known is not None and known[1] != worker.machine:
                raise errors.NameTaken("worker", worker.name, holder=known[0])
            values = _values(worker)
            if known is None:
                count = connection.execute(_COUNT, asked).scalar_one()
                if quota is not None and count >= quota:
                    raise errors.QuotaExceeded(
                        f"the tenant has {quota} workers, which is all it may have",
                        retry_after=rules.QUOTA_PAUSE,
                    )
                connection.execute(_INSERT, values)
            else:
                values["id"] = known[0]
                connection.execute(_RENEW, values)
                keys.forget_of_worker(connection, known[0])
            keys.put(connection, key, worker=values["id"])
            stored = worker_by_id(connection, worker.tenant, values["id"])
            events.of_worker(connection, stored, "registered", now=stored.seen_at)
            return stored

    def find(self, tenant: str, reference: str) -> Worker | None:
        with self._database.reading() as connection:
            return _find(connection, tenant, reference)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Worker]:
        name, identity = after or ("", "")
        with self._database.reading() as connection:
            found = connection.execute(
                _PAGE,
                {"tenant": tenant, "name": name, "id": identity, "limit": limit + 1},
            ).all()
        return page_of(
            found, limit=limit, read=_worker, place=lambda last: (last.name, last.id)
        )

    def running(
        self, tenant: str, workers: Sequence[str]
    ) -> Mapping[str, Sequence[str]]:
        running: dict[str, list[str]] = {worker: [] for worker in workers}
        with self._database.reading() as connection:
            asked = {"workers": ids(running)}
            for worker, run, owner in connection.execute(_RUNNING, asked):
                if owner == tenant:
                    running[worker].append(run)
        return running

    def drain(self, tenant: str, worker: str, *, now: datetime) -> Worker | None:
        with self._database.writing(tenant) as connection:
            found = _find(connection, tenant, worker)
            if found is None:
                return None
            connection.execute(_DRAIN, {"id": found.id})
            if not found.draining:
                events.of_worker(connection, found, "draining", now=now)
            return worker_by_id(connection, tenant, found.id)

    def delete(self, tenant: str, worker: str, *, now: datetime) -> bool:
        with self._database.writing(tenant) as connection:
            found = _find(connection, tenant, worker)
            if found is None:
                return False
            connection.execute(_DELETE, {"id": found.id})
            events.of_worker(connection, found, "deleted", now=now)
            connection.execute(_FORGET_SESSIONS, {"id": found.id})
            keys.forget_of_worker(connection, found.id)
            return True

    def lose(self, *, before: datetime, limit: int, now: datetime) -> Sequence[Worker]:
        asked = {"before": instant_out(before), "limit": limit}
        # Most often there is nobody, and then no lock is taken.
        with self._database.reading() as connection:
            tenants = {worker.tenant for worker in _unseen(connection, asked)}
        if not tenants:
            return ()
        with self._database.writing(*tenants) as connection:
            unseen = [w for w in _unseen(connection, asked) if w.tenant in tenants]
            for worker in unseen:
                connection.execute(_LOSE, {"id": worker.id})
                events.of_worker(connection, worker, "lost", now=now)
            return tuple(unseen)

    def satisfying(
        self, tenant: str, *, queue: str, requires: Mapping[str, str]
    ) -> bool:
        asked = {"tenant": tenant, "queue": queue, "requires": dumps(dict(requires))}
        with self._database.reading() as connection:
            return bool(connection.execute(_SATISFYING, asked).scalar())


def worker_by_id(connection: Connection, tenant: str, worker: str) -> Worker:
    """Return the worker, or raise ``NotFound``."""
    row = connection.execute(_BY_ID, {"worker": worker, "tenant": tenant}).first()
    if row is None:
        raise errors.NotFound("worker", worker)
    return _worker(row)


def _find(connection: Connection, tenant: str, reference: str) -> Worker | None:
    asked = {"tenant": tenant, "reference": reference}
    row = connection.execute(_FIND, asked).first()
    return None if row is None else _worker(row)


def _unseen(connection: Connection, asked: Parameters) -> list[Worker]:
    return [_worker(row) for row in connection.execute(_UNSEEN, asked)]


def _worker(row: Columns) -> Worker:
    return Worker(
        id=row[0],
        tenant=row[1],
        name=row[2],
        machine=row[3],
        queues=tuple(json.loads(row[4])),
        labels=json.loads(row[5]),
        slots=row[6],
        sandbox_level=row[7],
        version=row[8],
        draining=bool(row[9]),
        session=row[10],
        sequence=row[11],
        registered_at=instant_in(row[12]),
        seen_at=instant_in(row[13]),
    )


def _values(worker: Worker) -> Parameters:
    return {
        "id": worker.id,
        "tenant": worker.tenant,
        "name": worker.name,
        "machine": worker.machine,
        "queues": dumps(list(worker.queues)),
        "labels": dumps(dict(worker.labels)),
        "slots": worker.slots,
        "sandbox_level": worker.sandbox_level,
        "version": worker.version,
        "session": worker.session,
        "sequence": worker.sequence,
        "registered_at": instant_out(worker.registered_at),
        "seen_at": instant_out(worker.seen_at),
    }
