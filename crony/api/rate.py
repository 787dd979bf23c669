"""How many requests a tenant may send: a bucket for each, in each process."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from crony import errors
from crony.model.worker import Tenant

#: How long a quota that was looked up is taken for current, in seconds.
_CURRENT = 2.0


class Rates:
    """Token buckets by tenant; a bucket holds what one second allows."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}
        self._allowed: dict[str, tuple[int | None, float]] = {}

    def allowed(self, tenant: str, find: Callable[[], Tenant]) -> int | None:
        """Return a tenant's requests a second; ``find`` looks it up now and then."""
        known = self.known(tenant)
        if known is not None:
            return known[0]
        quota = find().quotas.requests_per_second
        self._allowed[tenant] = (quota, time.monotonic())
        return quota

    def known(self, tenant: str) -> tuple[int | None] | None:
        """Return a tenant's requests a second, if they were looked up just now."""
        known = self._allowed.get(tenant)
        if known is None or time.monotonic() - known[1] >= _CURRENT:
            return None
        return (known[0],)

    def forget(self, tenant: str) -> None:
        """Look a tenant's quota up again, as after a change."""
        self._allowed.pop(tenant, None)

    def take(self, tenant: str, allowed: int | None) -> None:
        """Count one request, or refuse it with the time to wait."""
        if allowed is None:
            return
        now = time.monotonic()
        level, at = self._buckets.get(tenant, (float(allowed), now))
        level = min(float(allowed), level + (now - at) * allowed)
        if level < 1:
            self._buckets[tenant] = (level, now)
            raise errors.RateExceeded(
                f"the tenant may send {allowed} requests a second",
                retry_after=timedelta(seconds=(1 - level) / allowed),
            )
        self._buckets[tenant] = (level - 1, now)
