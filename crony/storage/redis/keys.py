"""Keys, in Redis.

The tenant of a key is not known before its secret is looked up. So a pointer from the
secret's digest to the key stands in a space of its own: it is written before the key
and removed after it, and one that points to nothing, or to a key of another digest,
is a secret that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

from crony.model.worker import Key
from crony.storage.codec import instant_out
from crony.storage.contract import Keys, Page, Position
from crony.storage.documents import document_out
from crony.storage.redis import layout
from crony.storage.redis.engine import Engine
from crony.storage.redis.faults import translated
from crony.storage.redis.paging import page_of
from crony.storage.redis.values import packed, unpacked, value_in

_POINTERS = layout.prefix(layout.DIGESTS) + "keys"


def point(engine: Engine, key: Key) -> None:
    """Let the digest of a key's secret lead to it; the key itself comes after."""
    with translated():
        engine.client.hset(
            _POINTERS, key.digest, cast("str", packed([key.tenant, key.id]))
        )


def unpoint(engine: Engine, digests: Iterable[str]) -> None:
    """Forget the digests of keys that are gone."""
    gone = list(digests)
    if gone:
        with translated():
            engine.client.hdel(_POINTERS, *gone)


class RedisKeys(Keys):
    """Keys as records of their tenant."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def insert(self, key: Key) -> bool:
        point(self._engine, key)
        new = self._engine.call("key_insert", key.tenant, key=document_out(key))
        if not new:
            known = self.find(key.tenant, key.id)
            if known is None or known.digest != key.digest:
                unpoint(self._engine, [key.digest])
        return bool(new)

    def by_digest(self, digest: str) -> Key | None:
        with translated():
            pointer = self._engine.client.hget(_POINTERS, digest)
        if pointer is None:
            return None
        found = self.find(*unpacked(cast("bytes", pointer)))
        return found if found is not None and found.digest == digest else None

    def find(self, tenant: str, key: str) -> Key | None:
        found = self._engine.call("key_find", tenant, key=key)
        return None if found is None else value_in(Key, found)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Key]:
        place = None if after is None else layout.sortable(int(after[0] or 0))
        found = self._engine.call(
            "key_page",
            tenant,
            limit=limit,
            after=None if after is None else f"{place}{after[1]}",
        )
        return page_of(
            found,
            limit=limit,
            read=lambda document: value_in(Key, document),
            place=lambda key: (instant_out(key.created_at), key.id),
        )

    def touch(self, tenant: str, used: Mapping[str, datetime]) -> None:
        instants = {key: instant_out(used_at) for key, used_at in used.items()}
        self._engine.call("key_touch", tenant, used=instants)

    def delete(self, tenant: str, key: str) -> bool:
        gone = self._engine.call("key_delete", tenant, key=key)
        if gone is not None:
            unpoint(self._engine, [gone["digest"]])
        return gone is not None
