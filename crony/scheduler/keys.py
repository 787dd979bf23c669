"""Keys: secrets that are shown once, and known by their SHA-256 afterwards."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from crony import errors, log
from crony.clock import EPOCH, Clock, cut
from crony.errors import Fault
from crony.model import ids
from crony.model.worker import Key, Role
from crony.scheduler import adminfile
from crony.scheduler.contention import again
from crony.storage.contract import Page, Position, Store

_log = log.get(__name__)

Item = TypeVar("Item")

_START = "crony_"
_BYTES = 32
_PREFIX = 11

#: The tenant that always exists.
_FIRST_TENANT = "default"

#: The id of the first admin key: two hosts that store it at once store one.
FIRST_KEY = ids.timed(ids.KEY, EPOCH, entropy=bytes(ids.ENTROPY))

#: A key that was deleted on another node works here for at most this long.
FRESH = timedelta(seconds=2)

#: So many keys are remembered; more only cost a look into the store.
_REMEMBERED = 10_000

#: Uses are kept to the minute.
_USED = timedelta(minutes=1)


def digest_of(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret(entropy: Callable[[int], bytes]) -> str:
    """Return a new secret: 256 random bits, so that no salt or stretching adds."""
    text = base64.urlsafe_b64encode(entropy(_BYTES)).rstrip(b"=").decode()
    return _START + text


def minted(
    tenant: str,
    *,
    role: Role,
    description: str,
    expires_at: datetime | None,
    now: datetime,
    entropy: Callable[[int], bytes],
    worker: str | None = None,
    id: str | None = None,
) -> tuple[Key, str]:
    """Return a new key, not stored yet, and its secret."""
    secret = new_secret(entropy)
    key = Key(
        id=id or ids.timed(ids.KEY, now, entropy=entropy(ids.ENTROPY)),
        tenant=tenant,
        role=role,
        worker=worker,
        description=description,
        prefix=secret[:_PREFIX],
        digest=digest_of(secret),
        created_at=now,
        expires_at=expires_at,
        used_at=None,
    )
    return key, secret


@dataclass(frozen=True, slots=True)
class _Known:
    key: Key
    read_at: datetime


class Keys:
    """API keys: made, looked up at every request, and deleted."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._used: dict[tuple[str, str], datetime] = {}
        self._touched: dict[str, datetime] = {}

    def authenticate(self, secret: str) -> Key:
        """Return the key of a secret; raises ``Unauthenticated``.

        Its use is noted here and written by ``flush``, so that no request waits
        for that.
        """
        key = self.remembered(secret)
        if key is not None:
            return key
        now = self._clock.now()
        # SECURITY: digests are compared by the index of the store and of a dict;
        # whoever measures that learns nothing of a secret's other 256 bits.
        digest = digest_of(secret)
        key = self._store.keys.by_digest(digest)
        if key is None:
            raise errors.Unauthenticated("this key is not known here")
        self._remember(digest, _Known(key, now))
        if key.expires_at is not None and key.expires_at <= now:
            raise errors.Unauthenticated("this key has expired")
        self._note(key, now)
        return key

    def remembered(self, secret: str) -> Key | None:
        """Return the key of a secret without a look into the store, if that will do."""
        now = self._clock.now()
        key = self._remembered(digest_of(secret), now)
        if key is None or (key.expires_at is not None and key.expires_at <= now):
            return None
        self._note(key, now)
        return key

    def _remembered(self, digest: str, now: datetime) -> Key | None:
        with self._lock:
            known = self._known.get(digest)
            # A clock that was set back must not keep a key alive.
            if known is None or abs(now - known.read_at) > FRESH:
                return None
            return known.key

    def _remember(self, digest: str, known: _Known) -> None:
        with self._lock:
            self._known[digest] = known
            self._known.move_to_end(digest)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _note(self, key: Key, now: datetime) -> None:
        with self._lock:
            last = self._touched.get(key.id) or key.used_at
            if last is None or now - last >= _USED:
                self._used[key.tenant, key.id] = self._touched[key.id] = cut(now)

    def flush(self) -> None:
        """Write the uses noted since the last time."""
        with self._lock:
            used, self._used = self._used, {}
            if len(self._touched) > _REMEMBERED:
                self._touched = {key: used_at for (_, key), used_at in used.items()}
        by_tenant: dict[str, dict[str, datetime]] = {}
        for (tenant, key), used_at in used.items():
            by_tenant.setdefault(tenant, {})[key] = used_at
        for tenant, instants in by_tenant.items():
            # At once: of a thousand workers each has a key of its own.
            self._store.keys.touch(tenant, instants)

    def create(
        self,
        tenant: str,
        *,
        role: Role,
        description: str = "",
        expires_at: datetime | None = None,
        id: str | None = None,
    ) -> tuple[Key, str]:
        """Make a key; return it, and its secret, which nobody sees again.

        ``id`` is that of an earlier, interrupted request: its key, whose secret
        nobody received, is replaced.
        """
        if role is Role.WORKER:
            detail = '"worker" is the role of keys that registering a worker makes'
            raise errors.InvalidBody([Fault("/role", detail)])
        if self._store.tenants.find(tenant) is None:
            raise errors.NotFound("tenant", tenant)
        key, secret = minted(
            tenant,
            role=role,
            description=description,
            expires_at=expires_at,
            now=cut(self._clock.now()),
            entropy=self._entropy,
            id=id,
        )
        for _ in again("key"):
            if self._store.keys.insert(key):
                break
            self._store.keys.delete(tenant, key.id)
        _log.info("key created", tenant=tenant, id=key.id, role=role)
        return key, secret

    def find(self, tenant: str, key: str) -> Key:
        """Return a key; raises ``NotFound``."""
        found = self._store.keys.find(tenant, key)
        if found is None:
            raise errors.NotFound("key", key)
        return found

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Key]:
        """Return some of the keys, oldest first."""
        return self._store.keys.page(tenant, limit=limit, after=after)

    def delete(self, tenant: str, key: str) -> None:
        """Make a key stop working: here at once, on other nodes within ``FRESH``."""
        gone = self._store.keys.delete(tenant, key)
        with self._lock:
            self._known = OrderedDict(
                (digest, known)
                for digest, known in self._known.items()
                if known.key.id != key
            )
        if not gone:
            raise errors.NotFound("key", key)
        _log.info("key deleted", tenant=tenant, id=key)

    def ensure_admin(self, path: Path) -> bool:
        """See to it that the store has an admin key; the file gets the first one.

        Returns whether the file holds one that works: that of another host may.
        Any number of processes, on any hosts, may do this at once, and be killed at
        any point: there is one key in the end.
        """
        with adminfile.locked(path) as file:
            if self._is_stored(file.read()):
                return True
            if self._is_stored(file.prepared()):
                file.keep()
                return True
            if self._has_admin():
                return False
            # SECURITY: what the file holds is never stored again, since its key
            # may have been deleted because somebody else had seen it.
            key, secret = self._new_admin(
                "the admin key of the first start", id=FIRST_KEY
            )
            file.prepare(secret)
            if not self._store.keys.insert(key):
                # Another host was first.
                file.drop()
                return False
            file.keep()
        _log.info("admin key stored", id=key.id)
        return True

    def add_admin(self, path: Path) -> Key:
        """Make an admin key beside those that there are, and write it to the file."""
        with adminfile.locked(path) as file:
            key, secret = self._new_admin("an admin key made on a node's host")
            file.prepare(secret)
            self._store.keys.insert(key)
            file.keep()
        _log.info("admin key stored", id=key.id)
        return key

    def _is_stored(self, secret: str | None) -> bool:
        """Whether this is the secret of a key that was not deleted."""
        if secret is None:
            return False
        return self._store.keys.by_digest(digest_of(secret)) is not None

    def _new_admin(self, description: str, id: str | None = None) -> tuple[Key, str]:
        return minted(
            _FIRST_TENANT,
            role=Role.ADMIN,
            description=description,
            expires_at=None,
            now=cut(self._clock.now()),
            entropy=self._entropy,
            id=id,
        )

    def _has_admin(self) -> bool:
        """Whether the store has any admin key that works."""
        now = self._clock.now()
        tenants = self._store.tenants.page
        return any(
            key.role is Role.ADMIN and (key.expires_at is None or key.expires_at > now)
            for tenant in _each(lambda after: tenants(limit=100, after=after))
            for key in _each(partial(self._page, tenant.name))
        )

    def _page(self, tenant: str, after: Position | None) -> Page[Key]:
        return self._store.keys.page(tenant, limit=100, after=after)


def renamed(key: Key) -> Key:
    """Return the key under an id that follows from its secret, the same in a repeat."""
    entropy = bytes.fromhex(key.digest)[: ids.ENTROPY]
    return replace(key, id=ids.timed(ids.KEY, key.created_at, entropy=entropy))


def _each(page: Callable[[Position | None], Page[Item]]) -> Iterator[Item]:
    """Return the items of all pages."""
    after: Position | None = None
    while True:
        found = page(after)
        yield from found.items
        after = found.next
        if after is None:
            return
