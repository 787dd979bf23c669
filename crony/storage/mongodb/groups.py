"""Groups, in MongoDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from crony.model.group import DEFAULT_GROUP, Group
from crony.model.lease import Ready
from crony.model.worker import Tenant
from crony.storage import changes
from crony.storage.contract import Groups, Page, Position
from crony.storage.documents import Document, document_in, document_out
from crony.storage.mongodb import kinds, paging, places, profiles
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.work import Work


class MongoGroups(Groups):
    """Groups as documents; their limits are numbers of the tenant as well."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, tenant: str, name: str) -> Group | None:
        found = self._engine.glance(tenant).get(kinds.GROUPS, name)
        return None if found is None else document_in(Group, found)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Group]:
        return paging.page(
            self._engine.glance(tenant),
            kinds.GROUPS,
            {},
            by="name",
            then="name",
            read=lambda document: document_in(Group, document),
            limit=limit,
            after=after,
        )

    def put(self, group: Group, *, expected: int | None) -> tuple[bool, Ready]:
        def put(work: Work) -> tuple[bool, Ready]:
            stored = work.get(kinds.GROUPS, group.name)
            if (stored["revision"] if stored else None) != expected:
                return False, frozenset()
            profiles.check(work, group.profile)
            with places.opening(work) as lines:
                _put(work, group)
            return True, frozenset(lines)

        return self._engine.verb(group.tenant, put)

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        if name == DEFAULT_GROUP:
            raise changes.default_group_in_use()

        def delete(work: Work) -> bool:
            stored = work.get(kinds.GROUPS, name)
            if stored is None or stored["revision"] != expected:
                return False
            schedules = work.count(kinds.SCHEDULES, {"group": name})
            if schedules:
                raise changes.group_in_use(name, schedules=schedules)
            work.delete(kinds.GROUPS, name)
            places.limit_group(work, name, None)
            return True

        return self._engine.verb(tenant, delete)

    def schedules(self, tenant: str, names: Sequence[str]) -> Mapping[str, int]:
        def schedules(work: Work) -> Mapping[str, int]:
            return {
                name: work.count(kinds.SCHEDULES, {"group": name}) for name in names
            }

        return self._engine.read(tenant, schedules)

    def uncarried(self, *, limit: int) -> Sequence[Group]:
        found = self._engine.everywhere(
            kinds.GROUPS,
            {"carried": False},
            sort=[("tenant", 1), ("name", 1)],
            limit=limit,
        )
        return tuple(document_in(Group, document) for document in found)

    def carried(self, group: Group) -> bool:
        def carried(work: Work) -> bool:
            stored = work.get(kinds.GROUPS, group.name)
            if stored is None or stored["revision"] != group.revision:
                return False
            lags = {"group": group.name, "held": not stored["paused"]}
            if work.find(kinds.SCHEDULES, lags, limit=1):
                return False
            work.put(kinds.GROUPS, group.name, {**stored, "carried": True})
            return True

        return self._engine.verb(group.tenant, carried)


def ensure_default(work: Work, tenant: Tenant) -> None:
    """Keep the group that a tenant has from its beginning, where it is not there."""
    group = changes.default_group(tenant)
    if work.get(kinds.GROUPS, group.name) is None:
        _put(work, group)


def _put(work: Work, group: Group) -> None:
    work.put(kinds.GROUPS, group.name, document_out(group))
    places.limit_group(work, group.name, group.max_concurrent)


def paused(work: Work, name: str) -> bool | None:
    """Return whether a group is paused; ``None`` where it is not there."""
    found: Document | None = work.get(kinds.GROUPS, name)
    return None if found is None else cast("bool", found["paused"])
