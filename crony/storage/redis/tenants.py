"""Tenants, in Redis.

A tenant's name is among those of all before anything of it is written, and stays
there: to take it away could meet its return, and an empty tenant costs a look.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import cast

from crony import errors
from crony.model.group import Group, Profile
from crony.model.lease import Ready
from crony.model.worker import Quotas, Tenant, Usage
from crony.storage import changes
from crony.storage.codec import cut
from crony.storage.contract import Levels, Page, Position, Tenants
from crony.storage.documents import document_in, document_out
from crony.storage.redis import keys, layout
from crony.storage.redis.engine import Arguments, Engine, Reply
from crony.storage.redis.faults import translated
from crony.storage.redis.paging import page_of
from crony.storage.redis.values import packed, raw, unpacked, value_in

_DEFAULT = "default"
_NAMES = layout.prefix(layout.TENANTS) + "names"
#: What stays of a tenant: ids and sequences are never used again.
_STAYS = frozenset({"schedules", "events:last", "leaving", "departures"})
#: How many keys a step of a removal looks at.
_STEP = 1000
#: What the server's patterns give a meaning to.
_SPECIAL = re.compile(r"([*?\[\]\\^])")


def enrol(engine: Engine, tenant: str) -> None:
    """Put a name among those of all tenants."""
    with translated():
        engine.client.zadd(_NAMES, {tenant: 0})


def ensure_default(engine: Engine, *, now: datetime) -> None:
    """Create the tenant ``default``, if it is not there; remove what others left."""
    instant = cut(now)
    default = Tenant(
        name=_DEFAULT,
        revision=1,
        quotas=Quotas(),
        created_at=instant,
        updated_at=instant,
    )
    tenants = RedisTenants(engine)
    if tenants.find(_DEFAULT) is None:
        tenants.put(default, expected=None)
    tenants.clear()


class RedisTenants(Tenants):
    """Each tenant in a slot of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, tenant: str) -> Tenant | None:
        kept = self._engine.call("tenant_find", tenant)
        return None if kept is None else _tenant(kept)

    def page(self, *, limit: int, after: Position | None) -> Page[Tenant]:
        found: list[str] = []
        name = None if after is None else after[1]
        # Some of the names are of tenants that are gone.
        while len(found) <= limit:
            names = self._names(name, limit=limit + 1)
            calls: list[tuple[str, Arguments]] = [(each, {}) for each in names]
            found += [k for k in self._engine.each("tenant_find", calls) if k]
            if len(names) <= limit:
                break
            name = names[-1]
        return page_of(
            found, limit=limit, read=_tenant, place=lambda last: (last.name, last.name)
        )

    def _names(self, after: str | None, *, limit: int) -> list[str]:
        least = "-" if after is None else f"({after}"
        with translated():
            names = self._engine.client.zrangebylex(
                _NAMES, least, "+", start=0, num=limit
            )
        return [name.decode() for name in cast("list[bytes]", names)]

    def put(self, tenant: Tenant, *, expected: int | None) -> tuple[bool, Ready]:
        if expected is None:
            enrol(self._engine, tenant.name)
        done = self._put(tenant, expected)
        while "leaving" in done:
            self._remove_rest(tenant.name, done["leaving"])
            done = self._put(tenant, expected)
        ready = frozenset((tenant.name, queue) for queue in done["ready"])
        return bool(done["counted"]), ready

    def _put(self, tenant: Tenant, expected: int | None) -> Reply:
        return self._engine.call(
            "tenant_put",
            tenant.name,
            tenant={
                "document": packed(document_out(tenant)),
                "revision": tenant.revision,
                "profile": tenant.profile,
                "max_concurrent": tenant.max_concurrent,
                "held": tenant.held,
            },
            group=document_out(changes.default_group(tenant)),
            expected=expected,
        )

    def delete(self, tenant: str, *, expected: int) -> bool:
        if tenant == _DEFAULT:
            raise errors.InUse("the tenant default always exists")
        done = self._engine.call("tenant_delete", tenant, expected=expected)
        if "usage" in done:
            usage = done["usage"]
            raise errors.InUse(
                f"the tenant {tenant} has {usage['schedules']} schedules, "
                f"{usage['workers']} workers and {usage['live']} runs that are not over"
            )
        if done["counted"]:
            # A pointer that stays, as this is cut short, points to nothing.
            keys.unpoint(self._engine, done["digests"])
            self._remove_rest(tenant, done["leaving"])
        return bool(done["counted"])

    def clear(self) -> None:
        """Remove what is left of tenants whose removal was cut short."""
        names = self._engine.tenants()
        calls: list[tuple[str, Arguments]] = [(name, {}) for name in names]
        leaving = self._engine.each("tenant_leaving", calls)
        for name, number in zip(names, leaving, strict=True):
            if number is not None:
                self._remove_rest(name, number)

    def _remove_rest(self, tenant: str, number: int) -> None:
        """Remove what a removed tenant left, so that a later one can't see it.

        Several may do so at once; what comes after the removal's end is not touched.
        """
        for found in self._keys(tenant):
            gone = [key for key in found if key not in _STAYS]
            if gone and not self._engine.call(
                "tenant_forget", tenant, keys=gone, number=number
            ):
                return
        self._engine.call("tenant_left", tenant, number=number)

    def _keys(self, tenant: str) -> Iterator[list[str]]:
        """Meet all keys of a tenant, without its prefix, piece by piece."""
        prefix = layout.prefix(tenant)
        pattern = _SPECIAL.sub(r"\\\1", prefix) + "*"
        cursor = 0
        while True:
            with translated():
                cursor, found = cast(
                    "tuple[int, list[bytes]]",
                    self._engine.client.scan(cursor, match=pattern, count=_STEP),
                )
            yield [key.decode().removeprefix(prefix) for key in found]
            if cursor == 0:
                return

    def levels(
        self, tenant: str, *, groups: Collection[str], profiles: Collection[str]
    ) -> Levels:
        found = self._engine.call(
            "tenant_levels", tenant, groups=list(groups), profiles=list(profiles)
        )
        kept = found.get("tenant")
        return Levels(
            tenant=None if kept is None else _tenant(kept),
            groups={each["name"]: value_in(Group, each) for each in found["groups"]},
            profiles={
                each["name"]: value_in(Profile, each) for each in found["profiles"]
            },
        )

    def usage(self, tenant: str) -> Usage:
        usage = self._engine.call("tenant_usage", tenant)
        return Usage(usage["schedules"], usage["workers"], usage["pending"])


def _tenant(kept: str) -> Tenant:
    return document_in(Tenant, unpacked(raw(kept)))
