"""Runs that are stopped, or end before they started: steps of several verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crony.model.lease import Change
from crony.model.state import HELD, Reason, RunState
from crony.storage.codec import instant_out
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import among, text
from crony.storage.sql.places import Place
from crony.storage.sql.rows import Columns, ids, reason_in
from crony.storage.sql.settling import drop_offers

#: What ``Changed`` is made of.
CHANGED = "r.id, r.schedule, r.tenant, r.worker, r.state, r.reason"

_END = text(
    "UPDATE runs SET state = :state, reason = :reason, finished_at = :now,"
    f" admitted = 0, changed_at = :now WHERE id IN {among('runs')}"
)
_STOP = text(
    "UPDATE runs SET state = 'stopping', reason = :reason, changed_at = :now"
    f" WHERE id IN {among('runs')}"
)


@dataclass(frozen=True, slots=True)
class Changed:
    """A run that is about to change; ``worker`` is that of the newest attempt."""

    id: str
    schedule: str
    tenant: str
    worker: str | None
    state: RunState
    reason: Reason | None

    @classmethod
    def of(cls, row: Columns) -> Changed:
        """Return the run of a row of ``CHANGED``."""
        state, reason = RunState(row[4]), reason_in(row[5])
        return cls(row[0], row[1], row[2], row[3], state, reason)

    def to(self, state: RunState, reason: Reason) -> Change:
        """Return the news that it is in this state now."""
        worker = self.worker if self.state in HELD else None
        return Change(self.id, self.schedule, self.tenant, worker, state, reason)


def end_unstarted(
    connection: Connection,
    runs: Sequence[Changed],
    state: RunState,
    reason: Reason,
    *,
    now: datetime,
) -> tuple[list[Change], list[Place]]:
    """End runs that are pending or leased; return the places that were left.

    Their schedules are to be admitted anew.
    """
    offered = [run.id for run in runs if run.state is RunState.LEASED]
    left = drop_offers(connection, offered, now=now, state=state, reason=reason)
    pending = [run.id for run in runs if run.state is RunState.PENDING]
    values = {
        "runs": ids(pending),
        "state": state.value,
        "reason": reason,
        "now": instant_out(now),
    }
    if pending:
        connection.execute(_END, values)
    return [run.to(state, reason) for run in runs], left


def stop(
    connection: Connection, runs: Sequence[Changed], reason: Reason, *, now: datetime
) -> list[Change]:
    """Let executing runs stop for this reason from now on."""
    values = {
        "runs": ids(run.id for run in runs),
        "reason": reason,
        "now": instant_out(now),
    }
    if runs:
        connection.execute(_STOP, values)
    return [run.to(RunState.STOPPING, reason) for run in runs]
