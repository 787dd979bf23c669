"""Groups, in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crony.model.group import DEFAULT_GROUP, Group
from crony.model.lease import Ready
from crony.storage import changes
from crony.storage.contract import Groups, Page, Position
from crony.storage.documents import document_out
from crony.storage.redis import named
from crony.storage.redis.engine import Engine
from crony.storage.redis.values import value_in

_KIND = "groups"


class RedisGroups(Groups):
    """Groups as records of their tenant."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, tenant: str, name: str) -> Group | None:
        return named.find(self._engine, tenant, _KIND, name, kind=Group)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Group]:
        return named.page(
            self._engine, tenant, _KIND, kind=Group, limit=limit, after=after
        )

    def put(self, group: Group, *, expected: int | None) -> tuple[bool, Ready]:
        done = self._engine.call(
            "group_put", group.tenant, group=document_out(group), expected=expected
        )
        ready = frozenset((group.tenant, queue) for queue in done["ready"])
        return bool(done["counted"]), ready

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        if name == DEFAULT_GROUP:
            raise changes.default_group_in_use()
        done = self._engine.call("group_delete", tenant, name=name, expected=expected)
        if "schedules" in done:
            raise changes.group_in_use(name, schedules=done["schedules"])
        return bool(done["counted"])

    def schedules(self, tenant: str, names: Sequence[str]) -> Mapping[str, int]:
        counts = self._engine.call("group_schedules", tenant, names=list(names))
        return dict(zip(names, counts, strict=True))

    def uncarried(self, *, limit: int) -> Sequence[Group]:
        calls = [(tenant, {"limit": limit}) for tenant in self._engine.tenants()]
        found = self._engine.each("group_uncarried", calls)
        groups = [value_in(Group, record) for records in found for record in records]
        return tuple(groups[:limit])

    def carried(self, group: Group) -> bool:
        return bool(
            self._engine.call(
                "group_carried",
                group.tenant,
                name=group.name,
                revision=group.revision,
            )
        )
