"""Policies: what holds for a schedule, after all levels that have a say in it.

What a group, a profile or a tenant says is looked up anew for each call, so that a
change of it acts at once on every node. What was looked up once counts for the whole
call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from crony.clock import EPOCH
from crony.model.group import Group, Profile
from crony.model.policy import (
    GROUP,
    PROFILE,
    SCHEDULE,
    TENANT,
    Policy,
    PolicySettings,
    RetentionSettings,
    resolve,
)
from crony.model.schedule import Definition, Schedule
from crony.model.worker import Tenant
from crony.storage.contract import Store

_Level = tuple[str, PolicySettings]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The policy that holds, from where each field of it came, and the group.

    ``held``: nothing of the tenant starts, since it is about to move.
    """

    policy: Policy
    sources: Mapping[str, str]
    group: Group
    held: bool


class Policies:
    """Lays the levels over each other: schedule, its profile, its group's, a tenant's.

    A profile or group that is gone (it may go while a request is under way) counts as
    not set.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def look(self) -> Look:
        """Return a look at the levels, for one call."""
        return Look(self._store)

    def of(self, tenant: str, definition: Definition) -> Resolved:
        """Return what holds for a definition of that tenant."""
        return self.look().resolved(tenant, definition)

    def many(self, schedules: Collection[Schedule]) -> Mapping[str, Resolved]:
        """Return what holds for each schedule, by its id."""
        return self.look().many(schedules)

    def of_tenant(self, tenant: str) -> Policy:
        """Return what holds where there is no schedule any more."""
        return self.look().of_tenant(tenant)


class Look:
    """Finds each tenant, group and profile once, until it has to forget them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tenants: dict[str, Tenant | None] = {}
        self._groups: dict[tuple[str, str], Group | None] = {}
        self._profiles: dict[tuple[str, str], Profile | None] = {}
        #: By all that it depends on.
        self._resolved: dict[tuple[str, str, str | None, PolicySettings], Resolved] = {}

    def forget(self) -> None:
        """Find all anew: something has changed meanwhile."""
        for known in (self._tenants, self._groups, self._profiles, self._resolved):
            known.clear()

    def tenant(self, name: str) -> Tenant | None:
        """Return a tenant."""
        self._find(name)
        return self._tenants[name]

    def has_group(self, tenant: str, name: str) -> bool:
        """Return whether the tenant has a group of that name."""
        self._find(tenant, groups=(name,))
        return self._groups[tenant, name] is not None

    def has_profile(self, tenant: str, name: str) -> bool:
        """Return whether the tenant has a profile of that name."""
        self._find(tenant, profiles=(name,))
        return self._profiles[tenant, name] is not None

    def of_tenant(self, tenant: str) -> Policy:
        """Return what holds where there is no schedule any more."""
        return _laid(self._levels_of(tenant))[0]

    def load(self, tenant: str, definitions: Iterable[Definition]) -> None:
        """Look up at once what these definitions of a tenant name."""
        named = {(each.group, each.profile) for each in definitions}
        self._find(
            tenant,
            groups={group for group, _ in named},
            profiles={profile for _, profile in named if profile is not None},
        )

    def many(self, schedules: Collection[Schedule]) -> Mapping[str, Resolved]:
        """Return what holds for each schedule, by its id."""
        by_tenant: dict[str, list[Definition]] = {}
        for each in schedules:
            by_tenant.setdefault(each.tenant, []).append(each.definition)
        for tenant, definitions in by_tenant.items():
            self.load(tenant, definitions)
        return {
            each.id: self.resolved(each.tenant, each.definition) for each in schedules
        }

    def resolved(self, tenant: str, definition: Definition) -> Resolved:
        """Return what holds for a definition of that tenant."""
        name = definition.group
        asked = (tenant, name, definition.profile, definition.policy)
        known = self._resolved.get(asked)
        if known is not None:
            return known
        self.load(tenant, (definition,))
        group = self._groups[tenant, name] or _unset(tenant, name)
        levels = (
            *self._levels_of(tenant),
            *self._of_profile(GROUP, tenant, group.profile),
            *self._of_profile(PROFILE, tenant, definition.profile),
            (SCHEDULE, definition.policy),
        )
        policy, sources = _laid(levels)
        found = self._tenants[tenant]
        held = found is not None and found.held
        self._resolved[asked] = Resolved(policy, sources, group, held)
        return self._resolved[asked]

    def _levels_of(self, tenant: str) -> tuple[_Level, ...]:
        """Return what a tenant says: its profile, and its own retention over that."""
        found = self.tenant(tenant)
        if found is None:
            return ()
        of_profile = self._of_profile(TENANT, tenant, found.profile)
        if found.retention == RetentionSettings():
            return of_profile
        return (*of_profile, (TENANT, PolicySettings(retention=found.retention)))

    def _of_profile(
        self, level: str, tenant: str, name: str | None
    ) -> tuple[_Level, ...]:
        found = None if name is None else self._profiles[tenant, name]
        return () if found is None else ((level, found.settings),)

    def _find(
        self,
        tenant: str,
        *,
        groups: Collection[str] = (),
        profiles: Collection[str] = (),
    ) -> None:
        """Look up what is not known yet."""
        groups = [name for name in groups if (tenant, name) not in self._groups]
        profiles = [name for name in profiles if (tenant, name) not in self._profiles]
        if tenant in self._tenants and not groups and not profiles:
            return
        found = self._store.tenants.levels(tenant, groups=groups, profiles=profiles)
        self._tenants.setdefault(tenant, found.tenant)
        for name in groups:
            self._groups[tenant, name] = found.groups.get(name)
        users = (self._tenants[tenant], *found.groups.values())
        referred = {user.profile for user in users if user and user.profile}
        for name in referred.union(profiles):
            self._profiles.setdefault((tenant, name), found.profiles.get(name))


@lru_cache(maxsize=1024)
def _laid(levels: tuple[_Level, ...]) -> tuple[Policy, Mapping[str, str]]:
    # Pure, and asked for each schedule that is due: most set the same few fields.
    return resolve(*levels)


def _unset(tenant: str, name: str) -> Group:
    """Return a group that says nothing, in the place of one that is gone."""
    return Group(
        name=name,
        tenant=tenant,
        revision=0,
        since=EPOCH,
        created_at=EPOCH,
        updated_at=EPOCH,
    )
