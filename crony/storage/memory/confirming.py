"""Offers become running attempts, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from crony.model.lease import Confirmed, Holding, Standing
from crony.model.run import Run
from crony.storage import rules
from crony.storage.memory.state import Memory


def confirm(
    memory: Memory,
    tenant: str,
    worker: str,
    item: Holding,
    *,
    now: datetime,
    lease_ttl: timedelta,
) -> Confirmed:
    """Turn an offer into a running attempt."""
    run = memory.known(tenant, worker, item.run, item.token)
    if run is None:
        return Confirmed(run=item.run, token=item.token, standing=Standing.UNKNOWN)
    standing = rules.confirm_standing(
        item.token,
        current=run.token,
        state=run.state,
        deadline_at=run.deadline_at,
        now=now,
    )
    if standing is Standing.ACCEPTED:
        lease = memory.leases[run.id]
        prolong(memory, run, now=now, lease_ttl=lease_ttl)
        run = rules.confirmed(run, started_at=max(lease.start_at, now))
        memory.put(run, now=now)
    counted = standing in (Standing.ACCEPTED, Standing.REPEATED)
    live = memory.leases[run.id] if counted else None
    return Confirmed(
        run=item.run,
        token=item.token,
        standing=standing,
        state=run.state,
        start_at=live.start_at if live else None,
        expires_at=live.expires_at if live else None,
    )


def prolong(
    memory: Memory, run: Run, *, now: datetime, lease_ttl: timedelta
) -> datetime:
    """Let a lease go on from now, and return its end: it never moves back."""
    lease = memory.leases[run.id]
    end = rules.lease_end(lease.start_at, now=now, lease_ttl=lease_ttl)
    memory.leases[run.id] = replace(lease, expires_at=max(lease.expires_at, end))
    return memory.leases[run.id].expires_at
