"""What is old goes, tenant by tenant."""

from __future__ import annotations

from datetime import datetime

from crony.storage.codec import instant_out
from crony.storage.redis.engine import Engine


def swept(engine: Engine, script: str, *, before: datetime, limit: int) -> int:
    """Let a script remove what is older than that, at most ``limit`` over all tenants.

    It removes of one tenant and answers how many; returns how many all were.
    """
    gone = 0
    for tenant in engine.tenants():
        if gone >= limit:
            break
        gone += engine.call(
            script, tenant, before=instant_out(before), limit=limit - gone
        )
    return gone
