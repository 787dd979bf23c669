"""Offers that give way to a run that is due earlier, in SQL."""

from __future__ import annotations

from dataclasses import dataclass, field

from crony.model import policy
from crony.model.run import Run
from crony.model.state import Origin
from crony.storage.codec import instant_out
from crony.storage.sql import dialect
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import in_hands, text
from crony.storage.sql.places import Place, of_groups, of_tenant
from crony.storage.sql.settling import drop_offers

_FULL = text(
    "SELECT (SELECT count(*) FROM runs r WHERE r.schedule = s.id"
    f" AND {in_hands('r.')} AND {dialect.OF_HOOK} = 0)"
    " >= s.max_concurrent FROM schedules s WHERE s.id = :schedule"
)
#: As many as the limit, at most.
_LATER = (
    "SELECT r.start_at, r.id, r.worker, r.schedule FROM runs r WHERE {scope}"
    f" AND {in_hands('r.')} AND r.origin <> 'hook'"
    " AND r.state = 'leased' AND r.start_at > :after"
)
_OF_SCHEDULE = text(_LATER.format(scope="r.schedule = :schedule"))
_OF_GROUP = text(_LATER.format(scope="r.tenant = :tenant AND r.group_name = :group"))
_OF_TENANT = text(_LATER.format(scope="r.tenant = :tenant"))


@dataclass(slots=True)
class Recalled:
    """What became of offers: who had them, and where there is a place now.

    The schedules are to be admitted anew.
    """

    workers: set[str] = field(default_factory=set)
    schedules: set[str] = field(default_factory=set)
    left: list[Place] = field(default_factory=list)


def recall_for(connection: Connection, run: Run) -> Recalled:
    """Take back the offers that give way to a new run.

    One of the schedule makes room in its group as well.
    """
    recalled = Recalled()
    if run.origin is Origin.HOOK:
        return recalled
    asked = {
        "schedule": run.schedule,
        "group": run.group,
        "tenant": run.tenant,
        "after": instant_out(run.available_at + policy.CONFIRM_AHEAD),
    }
    for full, statement in (
        (_schedule_full, _OF_SCHEDULE),
        (_group_full, _OF_GROUP),
        (_tenant_full, _OF_TENANT),
    ):
        if not full(connection, run):
            continue
        later = [tuple(row) for row in connection.execute(statement, asked)]
        if later:
            _, last, worker, schedule = max(later)
            recalled.left += drop_offers(connection, [last], now=run.created_at)
            recalled.workers.add(worker)
            recalled.schedules.add(schedule)
    return recalled


def _schedule_full(connection: Connection, run: Run) -> bool:
    return bool(connection.execute(_FULL, {"schedule": run.schedule}).scalar())


def _group_full(connection: Connection, run: Run) -> bool:
    taken = of_groups(connection, run.tenant, [run.group]).get(run.group)
    return taken is not None and not taken.open


def _tenant_full(connection: Connection, run: Run) -> bool:
    return not of_tenant(connection, run.tenant).open
