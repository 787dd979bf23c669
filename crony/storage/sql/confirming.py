"""Offers become running attempts, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from crony.model.lease import Confirmed, Holding, Standing
from crony.model.state import RunState
from crony.storage import rules
from crony.storage.codec import (
    cut,
    duration_out,
    instant_in,
    instant_out,
    maybe_instant_in,
)
from crony.storage.sql import rows
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import among, greatest, text
from crony.storage.sql.holding import Hand, Held

_START = greatest("start_at", ":now")
_CONFIRM = text(
    f"UPDATE runs SET state = 'running', started_at = {_START},"
    f" expires_at = {greatest('expires_at', f'({_START} * 1000 + :ttl) / 1000')},"
    " reason = NULL, lateness = NULL, duration = NULL, exit_code = NULL,"
    " signal = NULL, error = NULL, overlap = NULL, changed_at = :now, pulses = 0,"
    " pulse_at = CASE WHEN hook_interval IS NOT NULL AND hooks LIKE '%progress%'"
    f" THEN ({_START} * 1000 + hook_interval) / 1000 END"
    f" WHERE id IN {among('runs')} RETURNING id, expires_at"
)


def confirm(
    connection: Connection,
    tenant: str,
    worker: str,
    items: Sequence[Holding],
    *,
    now: datetime,
    lease_ttl: timedelta,
) -> Sequence[Confirmed]:
    """Confirm what the worker was offered; one answer each, in order."""
    hand = Hand(connection, tenant, worker, [(item.run, item.token) for item in items])
    accepted = {
        run.id
        for item in items
        if (run := hand.known(item.run, item.token)) is not None
        and _standing(item, run, now=now) is Standing.ACCEPTED
    }
    ends = _begin_running(connection, accepted, now=now, ttl=lease_ttl)
    answers = []
    for item in items:
        run = hand.known(item.run, item.token)
        first = run is not None and run.id in ends and run.token == item.token
        if run is not None and first:
            # From here on in the batch it is running.
            run.state, run.expires_at = RunState.RUNNING, ends.pop(run.id)
        answers.append(_confirmed(item, run, first=first, now=now))
    return tuple(answers)


def _begin_running(
    connection: Connection, runs: set[str], *, now: datetime, ttl: timedelta
) -> dict[str, int]:
    """Make leased runs running; return when each lease ends."""
    if not runs:
        return {}
    values = {
        "runs": rows.ids(runs),
        "now": instant_out(now),
        "ttl": duration_out(ttl),
    }
    return {row[0]: row[1] for row in connection.execute(_CONFIRM, values).all()}


def _standing(item: Holding, run: Held, *, now: datetime) -> Standing:
    return rules.confirm_standing(
        item.token,
        current=run.token,
        state=run.state,
        deadline_at=maybe_instant_in(run.deadline_at),
        now=cut(now),
    )


def _confirmed(
    item: Holding, run: Held | None, *, first: bool, now: datetime
) -> Confirmed:
    """Return the answer to a confirm; ``first``: it is what made the run running."""
    if run is None:
        return Confirmed(run=item.run, token=item.token, standing=Standing.UNKNOWN)
    standing = Standing.ACCEPTED if first else _standing(item, run, now=now)
    counted = standing in (Standing.ACCEPTED, Standing.REPEATED)
    return Confirmed(
        run=item.run,
        token=item.token,
        standing=standing,
        state=run.state,
        start_at=instant_in(run.start_at) if counted else None,
        expires_at=instant_in(run.expires_at) if counted else None,
    )
