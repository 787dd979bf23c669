"""What time brings to an end or to its turn, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crony.model import policy
from crony.model.lease import Loss, Ready
from crony.model.state import RunState
from crony.storage.codec import instant_out, maybe_instant_in
from crony.storage.sql import rows
from crony.storage.sql.admission import admit
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import among, text
from crony.storage.sql.holding import COLUMNS, Endings, Held, held, offers
from crony.storage.sql.settling import drop_offers

_UNCONFIRMED = text(
    f"SELECT {COLUMNS} FROM runs r WHERE r.state = 'leased'"
    " AND r.start_at <= :before ORDER BY r.start_at, r.id LIMIT :limit"
)
_UNRENEWED = text(
    f"SELECT {COLUMNS} FROM runs r WHERE r.state IN ('running','stopping')"
    " AND r.expires_at <= :before ORDER BY r.expires_at, r.id LIMIT :limit"
)
_WAITING = text(
    "SELECT r.id, r.tenant FROM runs r WHERE r.state = 'pending' AND r.waiting = 1"
    " AND r.available_at <= :horizon ORDER BY r.available_at, r.id LIMIT :limit"
)
_PROMOTE = text(
    f"UPDATE runs SET waiting = 0 WHERE id IN {among('runs')}"
    " RETURNING tenant, queue, admitted"
)
_EARLIEST = text(
    "SELECT (SELECT start_at FROM runs WHERE state = 'leased'"
    " ORDER BY start_at, id LIMIT 1),"
    " (SELECT expires_at FROM runs WHERE state IN ('running','stopping')"
    " ORDER BY expires_at, id LIMIT 1),"
    " (SELECT available_at FROM runs WHERE state = 'pending' AND waiting = 1"
    " ORDER BY available_at, id LIMIT 1),"
    " (SELECT due_at FROM runs WHERE overlap IS NOT NULL AND state = 'pending'"
    " ORDER BY due_at, id LIMIT 1),"
    " (SELECT deadline_at FROM runs WHERE deadline_at IS NOT NULL"
    " AND state IN ('pending','leased') ORDER BY deadline_at, id LIMIT 1),"
    " (SELECT pulse_at FROM runs WHERE pulse_at IS NOT NULL AND state = 'running'"
    " ORDER BY pulse_at, id LIMIT 1)"
)


def overdue(
    connection: Connection, now: datetime, *, limit: int, include_leases: bool
) -> list[Held]:
    """Return what was not confirmed and, if asked for, what was not renewed."""
    grace = instant_out(now - policy.CONFIRM_GRACE)
    found = connection.execute(_UNCONFIRMED, {"before": grace, "limit": limit}).all()
    if include_leases:
        asked = {"before": instant_out(now), "limit": limit}
        found = [*found, *connection.execute(_UNRENEWED, asked)]
    return [held(row) for row in found]


def take(
    connection: Connection, runs: Sequence[Held], *, now: datetime
) -> tuple[Sequence[Loss], Ready]:
    """Take leases back: offers become pending, attempts are lost."""
    unconfirmed = offers(runs)
    endings = Endings(connection, now=now)
    losses = [
        endings.lose(run)
        for run in sorted(runs, key=lambda run: run.id)
        if run.state is not RunState.LEASED
    ]
    left = drop_offers(connection, unconfirmed, now=now)
    endings.write()
    touched = {run.schedule for run in runs}
    return tuple(losses), admit(connection, touched, left=left + endings.left)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that is not told of yet."""

    id: str
    tenant: str


def waiting(
    connection: Connection, horizon: datetime, *, limit: int
) -> Sequence[Waiting]:
    """Return the runs that have become available and were not told of yet."""
    asked = {"horizon": instant_out(horizon), "limit": limit}
    return [Waiting(*row) for row in connection.execute(_WAITING, asked)]


def promote(connection: Connection, runs: Sequence[Waiting]) -> Ready:
    """Make waiting runs leasable."""
    promoted = connection.execute(_PROMOTE, {"runs": rows.ids(run.id for run in runs)})
    return frozenset(
        (tenant, queue) for tenant, queue, admitted in promoted if admitted
    )


def earliest(connection: Connection) -> datetime | None:
    """Return when time has something to do, or a run becomes available."""
    offer, *others = connection.execute(_EARLIEST).one()
    if offer is not None:
        offer = rows.after(offer, policy.CONFIRM_GRACE)
    instants = [at for at in (offer, *others) if at is not None]
    return maybe_instant_in(min(instants, default=None))
