"""Policies: what holds for a schedule, after all levels that have a say in it.

What a group, a profile or a tenant says is looked up anew for each call, so that a
change of it acts at once on every node. What was looked up once counts for the whole
call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

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

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

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

    def of(self, tenant: str, definition: Definition) -> Resolved:
        """Return what holds for a definition of that tenant."""
        return _Lookup(self._store).resolved(tenant, definition)

    def many(self, schedules: Iterable[Schedule]) -> Mapping[str, Resolved]:
        """Return what holds for each schedule, by its id."""
        lookup = _Lookup(self._store)
        return {
            each.id: lookup.resolved(each.tenant, each.definition) for each in schedules
        }

    def of_tenant(self, tenant: str) -> Policy:
        """Return what holds where there is no schedule any more."""
        return _laid(_Lookup(self._store).of_tenant(tenant))[0]


class _Lookup:
    """Finds each tenant, group and profile once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tenants: dict[str, Tenant | None] = {}
        self._groups: dict[tuple[str, str], Group] = {}
        self._profiles: dict[tuple[str, str], Profile | None] = {}

    def resolved(self, tenant: str, definition: Definition) -> Resolved:
        group = self._group(tenant, definition.group)
        levels = (
            *self.of_tenant(tenant),
            *self._of_profile(GROUP, tenant, group.profile),
            *self._of_profile(PROFILE, tenant, definition.profile),
            (SCHEDULE, definition.policy),
        )
        policy, sources = _laid(levels)
        found = self._tenant(tenant)
        return Resolved(policy, sources, group, found is not None and found.held)

    def of_tenant(self, tenant: str) -> tuple[_Level, ...]:
        """Return what a tenant says: its profile, and its own retention over that."""
        found = self._tenant(tenant)
        if found is None:
            return ()
        of_profile = self._of_profile(TENANT, tenant, found.profile)
        if found.retention == RetentionSettings():
            return of_profile
        return (*of_profile, (TENANT, PolicySettings(retention=found.retention)))

    def _tenant(self, name: str) -> Tenant | None:
        return _once(self._tenants, name, lambda: self._store.tenants.find(name))

    def _group(self, tenant: str, name: str) -> Group:
        return _once(
            self._groups,
            (tenant, name),
            lambda: self._store.groups.find(tenant, name) or _unset(tenant, name),
        )

    def _of_profile(
        self, level: str, tenant: str, name: str | None
    ) -> tuple[_Level, ...]:
        if name is None:
            return ()
        found = _once(
            self._profiles,
            (tenant, name),
            lambda: self._store.profiles.find(tenant, name),
        )
        return () if found is None else ((level, found.settings),)


@lru_cache(maxsize=1024)
def _laid(levels: tuple[_Level, ...]) -> tuple[Policy, Mapping[str, str]]:
    # Pure, and asked for each schedule that is due: most set the same few fields.
    return resolve(*levels)


def _once(known: dict[_Key, _Value], key: _Key, find: Callable[[], _Value]) -> _Value:
    if key not in known:
        known[key] = find()
    return known[key]


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
