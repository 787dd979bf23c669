"""Tenants: their quotas, and what holds for all that is in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

from crony import errors
from crony.clock import Clock, cut
from crony.model.policy import RetentionSettings
from crony.model.worker import Quotas, Tenant, Usage
from crony.scheduler import named, references
from crony.scheduler.profiles import Rework, everything
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Store


class Tenants:
    """Namespaces: made, bounded and removed by an admin."""

    def __init__(
        self, store: Store, clock: Clock, *, wakes: Wakes, rework: Rework
    ) -> None:
        self._store = store
        self._clock = clock
        self._wakes = wakes
        self._rework = rework

    def find(self, name: str) -> Tenant:
        """Return a tenant; raises ``NotFound``."""
        found = self._store.tenants.find(name)
        if found is None:
            raise errors.NotFound("tenant", name)
        return found

    def put(
        self,
        name: str,
        *,
        quotas: Quotas,
        profile: str | None = None,
        max_concurrent: int | None = None,
        retention: RetentionSettings | None = None,
        if_match: int | None = None,
        if_none_match: bool = False,
    ) -> tuple[Tenant, bool]:
        """Create or change a tenant; return it, and whether it is new.

        Raises ``InvalidBody`` for a profile that is not there.
        """

        def make(found: Tenant | None) -> Tenant:
            now = cut(self._clock.now())
            changed = replace(
                found or _fresh(name, quotas, now=now),
                quotas=quotas,
                profile=profile,
                max_concurrent=max_concurrent,
                retention=retention or RetentionSettings(),
            )
            if found is None or changed == found:
                return changed
            return replace(changed, revision=found.revision + 1, updated_at=now)

        put = named.put(
            "tenant",
            name,
            find=lambda: self._store.tenants.find(name),
            make=make,
            write=self._write,
            if_match=if_match,
            if_none_match=if_none_match,
        )
        tenant, before = put.thing, put.before
        if before is not None and _says(before) != _says(tenant):
            self._rework(name, everything)
        return tenant, before is None

    def delete(self, name: str, *, if_match: int | None = None) -> None:
        """Remove a tenant that has nothing left; raises ``InUse``."""
        named.delete(
            "tenant",
            find=partial(self.find, name),
            remove=lambda revision: self._store.tenants.delete(name, expected=revision),
            if_match=if_match,
        )

    def usage(self, name: str) -> Usage:
        """Return how much of its quotas a tenant uses."""
        return self._store.tenants.usage(name)

    def _write(self, tenant: Tenant, expected: int | None) -> bool:
        try:
            counted, ready = self._store.tenants.put(tenant, expected=expected)
        except errors.NotFound as exc:
            raise references.refused(exc) from exc
        self._wakes.publish(ready)
        return counted


def _fresh(name: str, quotas: Quotas, *, now: datetime) -> Tenant:
    return Tenant(name=name, revision=1, quotas=quotas, created_at=now, updated_at=now)


def _says(tenant: Tenant) -> tuple[str | None, RetentionSettings]:
    """Return what the tenant contributes to the policy of its schedules."""
    return tenant.profile, tenant.retention
