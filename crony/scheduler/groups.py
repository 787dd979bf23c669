"""Groups: made, changed, paused and resumed as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from crony import errors, log
from crony.clock import IMPLAUSIBLE, Clock, cut
from crony.model.group import Group
from crony.scheduler import named, references
from crony.scheduler.carrying import Carrier
from crony.scheduler.profiles import Rework
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Page, Position, ScheduleQuery, Store

_log = log.get(__name__)

#: So many of those that keep a group in use are named.
_NAMED = 5


class Groups:
    """Named sets of schedules, each with a profile and a limit of its own.

    A pause or resume is answered once every schedule of the group has it.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        wakes: Wakes,
        carrier: Carrier,
        rework: Rework,
    ) -> None:
        self._store = store
        self._clock = clock
        self._wakes = wakes
        self._carrier = carrier
        self._rework = rework

    def exists(self, tenant: str, name: str) -> bool:
        """Return whether the tenant has a group of that name."""
        return self._store.groups.find(tenant, name) is not None

    def find(self, tenant: str, name: str) -> Group:
        """Return a group; raises ``NotFound``."""
        found = self._store.groups.find(tenant, name)
        if found is None:
            raise errors.NotFound("group", name[:200])
        return found

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Group]:
        """Return groups by name."""
        return self._store.groups.page(tenant, limit=limit, after=after)

    def sizes(self, tenant: str, groups: Sequence[Group]) -> Mapping[str, int]:
        """Return how many schedules each has, by its name."""
        return self._store.groups.schedules(tenant, [group.name for group in groups])

    def put(
        self,
        tenant: str,
        name: str,
        *,
        description: str,
        profile: str | None,
        max_concurrent: int | None,
        paused: bool,
        if_match: int | None = None,
        if_none_match: bool = False,
    ) -> tuple[Group, bool]:
        """Make or change a group; return it, and whether it is new.

        Raises ``InvalidBody`` for a profile that is not there.
        """

        def make(found: Group | None) -> Group:
            now = cut(self._clock.now())
            group = found or _fresh(tenant, name, now=now)
            changed = replace(
                group,
                description=description,
                profile=profile,
                max_concurrent=max_concurrent,
            )
            if found is None:
                # It has no schedules that could lag behind.
                return replace(changed, paused=paused)
            return _next(found, _with_pause(changed, paused=paused, now=now), now=now)

        put = self._put(
            tenant, name, make, if_match=if_match, if_none_match=if_none_match
        )
        return put.thing, put.before is None

    def pause(self, tenant: str, name: str) -> Group:
        """Let nothing of a group come due until it is resumed."""
        return self._set_paused(tenant, name, paused=True, misfire=None)

    def resume(self, tenant: str, name: str, *, misfire: str | None = None) -> Group:
        """Let the schedules of a group come due again, those paused apart.

        ``misfire`` says what of the occurrences that were skipped still runs.
        """
        return self._set_paused(tenant, name, paused=False, misfire=misfire)

    def delete(self, tenant: str, name: str, *, if_match: int | None) -> None:
        """Remove a group without schedules; raises ``InUse``."""
        named.delete(
            "group",
            find=partial(self.find, tenant, name),
            remove=partial(self._remove, tenant, name),
            if_match=if_match,
        )
        _log.info("group deleted", tenant=tenant, group=name)

    def _remove(self, tenant: str, name: str, expected: int) -> bool:
        try:
            return self._store.groups.delete(tenant, name, expected=expected)
        except errors.InUse as exc:
            query = ScheduleQuery(group=name, sort="name")
            page = self._store.schedules.page(tenant, query, limit=_NAMED, after=None)
            if not page.items:
                raise
            some = ", ".join(each.definition.name or each.id for each in page.items)
            more = ", …" if page.next else ""
            raise errors.InUse(f"{exc}: {some}{more}") from exc

    def _set_paused(
        self, tenant: str, name: str, *, paused: bool, misfire: str | None
    ) -> Group:
        def make(found: Group | None) -> Group:
            if found is None:
                raise errors.NotFound("group", name[:200])
            now = cut(self._clock.now())
            changed = _with_pause(found, paused=paused, now=now, misfire=misfire)
            return _next(found, changed, now=now)

        return self._put(tenant, name, make).thing

    def _put(
        self,
        tenant: str,
        name: str,
        make: named.Make[Group],
        *,
        if_match: int | None = None,
        if_none_match: bool = False,
    ) -> named.Put[Group]:
        """Write a group, and see to what follows from it."""
        put = named.put(
            "group",
            name,
            find=lambda: self._store.groups.find(tenant, name),
            make=make,
            write=self._write,
            if_match=if_match,
            if_none_match=if_none_match,
        )
        group, before = put.thing, put.before
        if put.changed:
            _log.info("group written", tenant=tenant, group=name)
        if before is not None and before.profile != group.profile:
            self._rework(tenant, lambda definition: definition.group == name)
        # Also what another left half done: the answer says that all have it.
        if not group.carried:
            self._carrier.carry(tenant, name)
        return put

    def _write(self, group: Group, expected: int | None) -> bool:
        try:
            counted, ready = self._store.groups.put(group, expected=expected)
        except errors.NotFound as exc:
            raise references.refused(exc) from exc
        self._wakes.publish(ready)
        return counted


def _fresh(tenant: str, name: str, *, now: datetime) -> Group:
    return Group(
        name=name, tenant=tenant, revision=1, since=now, created_at=now, updated_at=now
    )


def _with_pause(
    group: Group, *, paused: bool, now: datetime, misfire: str | None = None
) -> Group:
    """Return a group that is paused or not; its schedules have yet to follow."""
    if paused == group.paused:
        return group
    # Not before what the last one settled, unless that clock was plainly wrong.
    trusted = group.since - now <= IMPLAUSIBLE
    since = max(now, group.since) if trusted else now
    return replace(group, paused=paused, since=since, misfire=misfire, carried=False)


def _next(found: Group, changed: Group, *, now: datetime) -> Group:
    if changed == found:
        return found
    return replace(changed, revision=found.revision + 1, updated_at=now)
