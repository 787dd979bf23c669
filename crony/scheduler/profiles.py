"""Profiles: named policy, made and changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from crony import errors, log
from crony.clock import Clock, cut
from crony.model.group import Profile, ProfileUse
from crony.model.policy import PolicySettings
from crony.model.schedule import Definition
from crony.scheduler import named
from crony.storage.contract import Page, Position, Store

_log = log.get(__name__)

#: Which definitions a change concerns.
Concerns = Callable[[Definition], bool]
#: Lets a change of policy hold for what was made ahead, in a tenant.
Rework = Callable[[str, Concerns], object]

#: So many groups are looked at in one step.
_PAGE = 500


def everything(_: Definition) -> bool:
    """Return that a change concerns each schedule of the tenant."""
    return True


class Profiles:
    """Named bundles of policy, for schedules, groups and a tenant to refer to."""

    def __init__(self, store: Store, clock: Clock, *, rework: Rework) -> None:
        self._store = store
        self._clock = clock
        self._rework = rework

    def exists(self, tenant: str, name: str) -> bool:
        """Return whether the tenant has a profile of that name."""
        return self._store.profiles.find(tenant, name) is not None

    def find(self, tenant: str, name: str) -> Profile:
        """Return a profile; raises ``NotFound``."""
        found = self._store.profiles.find(tenant, name)
        if found is None:
            raise errors.NotFound("profile", name[:200])
        return found

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Profile]:
        """Return profiles by name."""
        return self._store.profiles.page(tenant, limit=limit, after=after)

    def uses(
        self, tenant: str, profiles: Sequence[Profile]
    ) -> Mapping[str, ProfileUse]:
        """Return how many refer to each, by its name."""
        return self._store.profiles.uses(tenant, [each.name for each in profiles])

    def put(
        self,
        tenant: str,
        name: str,
        *,
        description: str,
        settings: PolicySettings,
        if_match: int | None = None,
        if_none_match: bool = False,
    ) -> tuple[Profile, bool]:
        """Make or change a profile; return it, and whether it is new.

        A change holds for the occurrences that come due from now on.
        """

        def make(found: Profile | None) -> Profile:
            now = cut(self._clock.now())
            if found is None:
                return Profile(
                    name=name,
                    tenant=tenant,
                    revision=1,
                    description=description,
                    settings=settings,
                    created_at=now,
                    updated_at=now,
                )
            changed = replace(found, description=description, settings=settings)
            if changed == found:
                return found
            return replace(changed, revision=found.revision + 1, updated_at=now)

        put = named.put(
            "profile",
            name,
            find=lambda: self._store.profiles.find(tenant, name),
            make=make,
            write=lambda profile, revision: self._store.profiles.put(
                profile, expected=revision
            ),
            if_match=if_match,
            if_none_match=if_none_match,
        )
        if put.changed:
            _log.info("profile written", tenant=tenant, profile=name)
        if put.before is not None and put.before.settings != settings:
            self._rework(tenant, self._concerned(tenant, name))
        return put.thing, put.before is None

    def delete(self, tenant: str, name: str, *, if_match: int | None) -> None:
        """Remove a profile that nothing refers to; raises ``InUse``."""
        named.delete(
            "profile",
            find=partial(self.find, tenant, name),
            remove=lambda revision: self._store.profiles.delete(
                tenant, name, expected=revision
            ),
            if_match=if_match,
        )
        _log.info("profile deleted", tenant=tenant, profile=name)

    def _concerned(self, tenant: str, name: str) -> Concerns:
        """Return which definitions a change of the profile concerns."""
        found = self._store.tenants.find(tenant)
        if found is not None and found.profile == name:
            return everything
        groups = self._groups_of(tenant, name)

        def concerns(definition: Definition) -> bool:
            return definition.profile == name or definition.group in groups

        return concerns

    def _groups_of(self, tenant: str, name: str) -> frozenset[str]:
        """Return the names of the groups that have the profile."""
        found: set[str] = set()
        after: Position | None = None
        while True:
            page = self._store.groups.page(tenant, limit=_PAGE, after=after)
            found |= {group.name for group in page.items if group.profile == name}
            if page.next is None:
                return frozenset(found)
            after = page.next
