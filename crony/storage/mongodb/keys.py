"""Keys, in MongoDB."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pymongo import UpdateOne

from crony.model.worker import Key, Role
from crony.storage.codec import instant_out
from crony.storage.contract import Keys, Page, Position
from crony.storage.documents import document_in, document_out
from crony.storage.mongodb import kinds, paging
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.work import Work
from crony.storage.mongodb.work import key as key_of


class MongoKeys(Keys):
    """Keys as documents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def insert(self, key: Key) -> bool:
        def insert(work: Work) -> bool:
            if work.get(kinds.KEYS, key.id) is not None:
                return False
            put(work, key)
            return True

        return self._engine.verb(key.tenant, insert)

    def by_digest(self, digest: str) -> Key | None:
        found = self._engine.anywhere(kinds.KEYS, {"digest": digest})
        return None if found is None else document_in(Key, found)

    def find(self, tenant: str, key: str) -> Key | None:
        found = self._engine.glance(tenant).get(kinds.KEYS, key)
        return None if found is None else document_in(Key, found)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Key]:
        return paging.page(
            self._engine.glance(tenant),
            kinds.KEYS,
            {"role": {"$ne": Role.WORKER.value}},
            by="created_at",
            read=lambda document: document_in(Key, document),
            limit=limit,
            after=after,
        )

    def touch(self, tenant: str, used: Mapping[str, datetime]) -> None:
        # NOTE: by itself and not by a commit: no verb reads this member or writes it,
        # and one that replaces the key has made another one.
        changes = [
            UpdateOne(
                {"tenant": tenant, "_id": key_of(tenant, key), "id": key},
                {"$max": {"used_at": instant_out(used_at)}},
            )
            for key, used_at in used.items()
        ]
        if not changes:
            return
        with translated():
            self._engine.database.documents(kinds.KEYS).bulk_write(
                changes, ordered=False
            )

    def delete(self, tenant: str, key: str) -> bool:
        def delete(work: Work) -> bool:
            found = work.get(kinds.KEYS, key)
            if found is not None:
                work.delete(kinds.KEYS, key)
            return found is not None

        return self._engine.verb(tenant, delete)


def put(work: Work, key: Key) -> None:
    """Keep a key; whether there is one of its id must have been looked for."""
    work.put(kinds.KEYS, key.id, document_out(key))


def forget(work: Work, worker: str) -> None:
    """Remove a worker's keys."""
    for found in work.find(kinds.KEYS, {"worker": worker}):
        work.delete(kinds.KEYS, str(found["id"]))
