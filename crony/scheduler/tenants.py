"""Tenants and their quotas."""

from __future__ import annotations

from dataclasses import replace

from crony import errors
from crony.clock import Clock, cut
from crony.model.worker import Quotas, Tenant, Usage
from crony.scheduler.contention import again
from crony.storage.contract import Store


class Tenants:
    """Namespaces: made, bounded and removed by an admin."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

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
        if_match: int | None = None,
        if_none_match: bool = False,
    ) -> tuple[Tenant, bool]:
        """Create or change a tenant; return it, and whether it is new."""
        for _ in again("tenant"):
            now = cut(self._clock.now())
            found = self._store.tenants.find(name)
            if found is None:
                if if_match is not None:
                    raise errors.RevisionMismatch(f"there is no tenant {name!r} yet")
                tenant = Tenant(
                    name=name, revision=1, quotas=quotas, created_at=now, updated_at=now
                )
                if self._store.tenants.put(tenant, expected=None)[0]:
                    return tenant, True
                continue
            if if_none_match:
                raise errors.RevisionMismatch(f"the tenant {name!r} exists already")
            _match(found, if_match)
            if found.quotas == quotas:
                return found, False
            tenant = replace(
                found, quotas=quotas, revision=found.revision + 1, updated_at=now
            )
            if self._store.tenants.put(tenant, expected=found.revision)[0]:
                return tenant, False
        raise AssertionError("unreachable")

    def delete(self, name: str, *, if_match: int | None = None) -> None:
        """Remove a tenant that has nothing left; raises ``InUse``."""
        for _ in again("tenant"):
            found = self.find(name)
            _match(found, if_match)
            if self._store.tenants.delete(name, expected=found.revision):
                return

    def usage(self, name: str) -> Usage:
        """Return how much of its quotas a tenant uses."""
        return self._store.tenants.usage(name)


def _match(tenant: Tenant, if_match: int | None) -> None:
    if if_match is not None and if_match != tenant.revision:
        raise errors.RevisionMismatch(
            f"the tenant {tenant.name!r} is at revision {tenant.revision}, "
            f"not {if_match}"
        )
