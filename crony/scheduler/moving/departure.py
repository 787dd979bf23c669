"""Everything of tenants, record by record, in an order in which it can be stored.

Schedules come before runs: what was materialised between the two is then in the
export twice, as a run and before the cursor, rather than never; its id makes it one.
Only a few records are held at a time, and an export that broke off goes on behind any
of its lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from crony import __version__, errors
from crony.clock import Clock, cut
from crony.model.worker import Tenant
from crony.scheduler.moving.lines import (
    FORMAT,
    Complete,
    End,
    Header,
    Kind,
    Place,
    Runs,
    written,
)
from crony.storage.contract import Page, Position, Store

#: So many small records are read at once, and so many runs, whose output is large.
_SMALL, _LARGE = 200, 32

_Item = TypeVar("_Item")
#: One page of a list of a tenant.
_Read = Callable[[str, int, Position | None], Page[_Item]]


class Departure:
    """Writes tenants down."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def lines(
        self,
        tenants: tuple[str, ...] | None,
        *,
        secrets: bool = False,
        after: Place | None = None,
    ) -> Iterator[bytes]:
        """Yield the lines of tenants, or of all; ``after`` a place, those behind it.

        Raises ``NotFound`` before the first line.
        """
        named = self._named(tenants)
        if after is None:
            yield written(
                Header(
                    format=FORMAT,
                    crony=__version__,
                    at=cut(self._clock.now()),
                    tenants=named,
                    secrets=secrets,
                )
            )
        for name in named:
            if after is None or name >= after.tenant:
                behind = after if after is not None and name == after.tenant else None
                yield from self._tenant(name, secrets=secrets, after=behind)
        yield written(Complete(at=cut(self._clock.now())))

    def _named(self, tenants: tuple[str, ...] | None) -> tuple[str, ...]:
        if tenants is not None:
            for name in tenants:
                self._found(name)
            return tuple(sorted(tenants))
        return tuple(t.name for t in _each(self._tenants, "", size=_SMALL))

    def _found(self, name: str) -> Tenant:
        found = self._store.tenants.find(name)
        if found is None:
            raise errors.NotFound("tenant", name)
        return found

    def _tenants(self, _: str, limit: int, after: Position | None) -> Page[Tenant]:
        return self._store.tenants.page(limit=limit, after=after)

    def _tenant(
        self, name: str, *, secrets: bool, after: Place | None
    ) -> Iterator[bytes]:
        if after is None:
            yield written(self._found(name))
        for kind, records in (
            (Kind.PROFILE, self._profiles),
            (Kind.GROUP, self._groups),
            (Kind.KEY, self._keys),
            (Kind.SCHEDULE, self._schedules),
            (Kind.RUN, self._runs),
        ):
            yield from self._behind(name, kind, records, after)
        if after is None or after.kind is not Kind.END:
            yield from self._webhooks(name, after, secrets=secrets)
            yield written(End(tenant=self._found(name)))

    def _behind(
        self,
        tenant: str,
        kind: Kind,
        records: Callable[[str, str], Iterator[bytes]],
        after: Place | None,
    ) -> Iterator[bytes]:
        """Yield the lines of a kind that lie behind a place."""
        if after is not None and after.behind(tenant, kind):
            return
        begun = after is not None and after.kind is kind
        yield from records(tenant, after.id if after is not None and begun else "")

    def _profiles(self, tenant: str, last: str) -> Iterator[bytes]:
        page = self._store.profiles.page
        for profile in _each(_paged(page), tenant, size=_SMALL, last=last):
            yield written(profile)

    def _groups(self, tenant: str, last: str) -> Iterator[bytes]:
        page = self._store.groups.page
        for group in _each(_paged(page), tenant, size=_SMALL, last=last):
            yield written(group)

    def _keys(self, tenant: str, last: str) -> Iterator[bytes]:
        # They are in the order of their age: few, and read from the first again.
        behind = not last
        for key in _each(_paged(self._store.keys.page), tenant, size=_SMALL):
            if behind:
                yield written(key)
            behind = behind or key.id == last

    def _schedules(self, tenant: str, last: str) -> Iterator[bytes]:
        page = self._store.moving.schedules
        for item in _each(_paged(page), tenant, size=_SMALL, last=last):
            yield written(item, after=last)
            last = item.id

    def _runs(self, tenant: str, last: str) -> Iterator[bytes]:
        page = self._store.moving.runs
        for item in _each(_paged(page), tenant, size=_LARGE, last=last):
            yield written(item, after=last)
            last = item.run.id
        yield written(Runs(tenant=tenant), after=last)

    def _webhooks(
        self, tenant: str, after: Place | None, *, secrets: bool
    ) -> Iterator[bytes]:
        last = after.id if after is not None and after.kind is Kind.WEBHOOK else ""
        page = self._store.webhooks.page
        for webhook in _each(_paged(page), tenant, size=_SMALL, last=last):
            # What it has looked at is events of here.
            gone = replace(webhook, position=0)
            yield written(gone if secrets else replace(gone, secret=""))


def _paged(page: Callable[..., Page[_Item]]) -> _Read[_Item]:
    return lambda tenant, limit, after: page(tenant, limit=limit, after=after)


def _each(
    page: _Read[_Item], tenant: str, *, size: int, last: str = ""
) -> Iterator[_Item]:
    """Yield all of a list; ``last``: those behind this name or id."""
    after: Position | None = (last, last) if last else None
    while True:
        found = page(tenant, size, after)
        yield from found.items
        if found.next is None:
            return
        after = found.next
