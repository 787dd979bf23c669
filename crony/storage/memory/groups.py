"""Groups and profiles, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crony.model.group import DEFAULT_GROUP, Group, Profile, ProfileUse
from crony.model.lease import Ready
from crony.model.schedule import Schedule
from crony.storage import changes
from crony.storage.codec import kept
from crony.storage.contract import Groups, Page, Position, Profiles
from crony.storage.memory.admission import change, ready
from crony.storage.memory.paging import as_it_is, paged
from crony.storage.memory.references import check_profile
from crony.storage.memory.state import Memory


class MemoryGroups(Groups):
    """Groups in a dict."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, tenant: str, name: str) -> Group | None:
        with self._memory.verb():
            return kept(self._memory.groups.get((tenant, name)))

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Group]:
        with self._memory.verb():
            return paged(
                [g for g in self._memory.groups.values() if g.tenant == tenant],
                lambda group: (group.name, group.name),
                order=as_it_is,
                limit=limit,
                after=after,
            )

    def put(self, group: Group, *, expected: int | None) -> tuple[bool, Ready]:
        memory = self._memory
        with memory.verb():
            stored = memory.groups.get((group.tenant, group.name))
            if (stored.revision if stored else None) != expected:
                return False, frozenset()
            check_profile(memory, group.tenant, group.profile)
            with change(memory) as lines:
                memory.groups[group.tenant, group.name] = kept(group)
            return True, ready(lines)

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        with self._memory.verb():
            if name == DEFAULT_GROUP:
                raise changes.default_group_in_use()
            stored = self._memory.groups.get((tenant, name))
            if stored is None or stored.revision != expected:
                return False
            schedules = len(self._of(tenant, name))
            if schedules:
                raise changes.group_in_use(name, schedules=schedules)
            del self._memory.groups[tenant, name]
            return True

    def _of(self, tenant: str, name: str) -> list[Schedule]:
        return [
            schedule
            for schedule in self._memory.schedules.values()
            if schedule.tenant == tenant and schedule.definition.group == name
        ]

    def schedules(self, tenant: str, names: Sequence[str]) -> dict[str, int]:
        with self._memory.verb():
            return {name: len(self._of(tenant, name)) for name in names}

    def uncarried(self, *, limit: int) -> Sequence[Group]:
        with self._memory.verb():
            found = [g for g in self._memory.groups.values() if not g.carried]
            found.sort(key=lambda group: (group.tenant, group.name))
            return kept(tuple(found[:limit]))

    def carried(self, group: Group) -> bool:
        with self._memory.verb():
            name = (group.tenant, group.name)
            stored = self._memory.groups.get(name)
            if stored is None or stored.revision != group.revision:
                return False
            if any(each.held != stored.paused for each in self._of(*name)):
                return False
            self._memory.groups[name] = replace(stored, carried=True)
            return True


class MemoryProfiles(Profiles):
    """Profiles in a dict."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, tenant: str, name: str) -> Profile | None:
        with self._memory.verb():
            return kept(self._memory.profiles.get((tenant, name)))

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Profile]:
        with self._memory.verb():
            return paged(
                [p for p in self._memory.profiles.values() if p.tenant == tenant],
                lambda profile: (profile.name, profile.name),
                order=as_it_is,
                limit=limit,
                after=after,
            )

    def put(self, profile: Profile, *, expected: int | None) -> bool:
        with self._memory.verb():
            name = (profile.tenant, profile.name)
            stored = self._memory.profiles.get(name)
            if (stored.revision if stored else None) != expected:
                return False
            self._memory.profiles[name] = kept(profile)
            return True

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        with self._memory.verb():
            stored = self._memory.profiles.get((tenant, name))
            if stored is None or stored.revision != expected:
                return False
            schedules, groups, tenants = self._users(tenant, name)
            if schedules or groups or tenants:
                raise changes.profile_in_use(
                    name, schedules=schedules, groups=groups, tenants=tenants
                )
            del self._memory.profiles[tenant, name]
            return True

    def _users(
        self, tenant: str, profile: str
    ) -> tuple[list[str], list[str], list[str]]:
        """Return which schedules, groups and tenants refer to a profile."""
        memory = self._memory
        schedules = [
            schedule.definition.name or schedule.id
            for schedule in memory.schedules.values()
            if schedule.tenant == tenant and schedule.definition.profile == profile
        ]
        groups = [
            group.name
            for group in memory.groups.values()
            if group.tenant == tenant and group.profile == profile
        ]
        owner = memory.tenants.get(tenant)
        refers = owner is not None and owner.profile == profile
        return schedules, groups, [tenant] if refers else []

    def uses(self, tenant: str, names: Sequence[str]) -> dict[str, ProfileUse]:
        with self._memory.verb():
            return {
                name: ProfileUse(*(len(users) for users in self._users(tenant, name)))
                for name in names
            }
