"""What is old goes, tenant by tenant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from crony.storage.codec import instant_out
from crony.storage.redis import tenantwise
from crony.storage.redis.engine import Engine


def swept(engine: Engine, script: str, *, by: str, before: datetime, limit: int) -> int:
    """Let a script remove what is older than that, at most ``limit`` over all tenants.

    ``by`` is the set of it by instant: who has nothing old there is not asked.
    """
    tenants = tenantwise.due(engine, (by, instant_out(before) - 1))
    return swept_of(engine, script, tenants, before=before, limit=limit)


def swept_of(
    engine: Engine,
    script: str,
    tenants: Iterable[str],
    *,
    before: datetime,
    limit: int,
) -> int:
    """Do so of these tenants; return how many all were."""
    gone = 0
    for tenant in tenants:
        if gone >= limit:
            break
        gone += engine.call(
            script, tenant, before=instant_out(before), limit=limit - gone
        )
    return gone
