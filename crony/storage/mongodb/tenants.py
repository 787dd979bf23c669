"""Tenants, in MongoDB."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from crony import errors
from crony.model.group import Group, Profile
from crony.model.lease import Ready
from crony.model.worker import Quotas, Tenant, Usage
from crony.storage.contract import Levels, Page, Position, Tenants
from crony.storage.documents import document_in, document_out
from crony.storage.mongodb import (
    answers,
    events,
    groups,
    kinds,
    places,
    profiles,
    purging,
    tallies,
    workers,
)
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.work import Work

#: What goes with a tenant by the same commit: quotas bound it, or people do.
_OWNED = (
    *(kinds.FOLLOW_UPS, kinds.SESSIONS, kinds.KEYS),
    *(kinds.GROUPS, kinds.PROFILES, kinds.WEBHOOKS),
)

#: So much of its history is removed at once; the rest later, piece by piece.
_AT_ONCE = 10_000


class MongoTenants(Tenants):
    """Tenants as documents; what many ask of them are numbers of their heads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, tenant: str) -> Tenant | None:
        found = self._engine.glance(tenant).get(kinds.TENANTS, tenant)
        return None if found is None else document_in(Tenant, found)

    def page(self, *, limit: int, after: Position | None) -> Page[Tenant]:
        beyond = "" if after is None else after[1]
        found = self._engine.everywhere(
            kinds.TENANTS,
            {"name": {"$gt": beyond}},
            sort=[("name", 1)],
            limit=limit + 1,
        )
        tenants = tuple(document_in(Tenant, each) for each in found[:limit])
        more = len(found) > limit > 0
        last = tenants[-1].name if more else None
        return Page(tenants, None if last is None else (last, last))

    def put(self, tenant: Tenant, *, expected: int | None) -> tuple[bool, Ready]:
        def put(work: Work) -> tuple[bool, Ready]:
            stored = work.get(kinds.TENANTS, tenant.name)
            if (stored["revision"] if stored else None) != expected:
                return False, frozenset()
            profiles.check(work, tenant.profile)
            with places.opening(work) as lines:
                _put(work, tenant)
            return True, frozenset(lines)

        return self._engine.verb(tenant.name, put)

    def delete(self, tenant: str, *, expected: int) -> bool:
        if tenant == "default":
            raise errors.InUse("the tenant default always exists")

        def delete(work: Work) -> bool:
            stored = work.get(kinds.TENANTS, tenant)
            if stored is None or stored["revision"] != expected:
                return False
            _check_unused(work)
            for kind in _OWNED:
                work.clear(kind)
            events.forget(work)
            places.forget(work)
            purging.begin(work)
            work.add(answers.LIFE, 1)
            work.delete(kinds.TENANTS, tenant)
            return True

        counted = self._engine.verb(tenant, delete)
        if counted:
            purging.purge(self._engine, tenant, limit=_AT_ONCE)
        return counted

    def levels(
        self, tenant: str, *, groups: Collection[str], profiles: Collection[str]
    ) -> Levels:
        work = self._engine.glance(tenant)
        kept = work.get(kinds.TENANTS, tenant)
        owner = None if kept is None else document_in(Tenant, kept)
        there = [
            document_in(Group, each)
            for each in work.get_all(kinds.GROUPS, groups).values()
        ]
        referred = {e.profile for e in (owner, *there) if e and e.profile}
        found = work.get_all(kinds.PROFILES, referred.union(profiles)).values()
        return Levels(
            tenant=owner,
            groups={each.name: each for each in there},
            profiles={
                each.name: each for each in (document_in(Profile, p) for p in found)
            },
        )

    def usage(self, tenant: str) -> Usage:
        return _usage(self._engine.glance(tenant))


def ensure_default(engine: Engine, *, now: datetime) -> None:
    """Make the tenant ``default`` where there is none."""
    default = Tenant(
        name="default", revision=1, quotas=Quotas(), created_at=now, updated_at=now
    )

    def ensure(work: Work) -> None:
        if work.get(kinds.TENANTS, default.name) is None:
            _put(work, default)

    engine.verb(default.name, ensure)


def _put(work: Work, tenant: Tenant) -> None:
    work.put(kinds.TENANTS, tenant.name, document_out(tenant))
    places.limit_tenant(work, tenant.max_concurrent, held=tenant.held)
    groups.ensure_default(work, tenant)


def _usage(work: Work) -> Usage:
    return Usage(
        schedules=tallies.schedules(work),
        workers=work.number(workers.COUNT),
        pending_runs=tallies.pending(work),
    )


def _check_unused(work: Work) -> None:
    usage, live = _usage(work), tallies.live(work)
    if usage.schedules or usage.workers or live:
        raise errors.InUse(
            f"the tenant {work.tenant} has {usage.schedules} schedules, "
            f"{usage.workers} workers and {live} runs that are not over"
        )
