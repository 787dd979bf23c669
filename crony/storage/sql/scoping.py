"""Which limits hold for a run, and who takes them up, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from crony.model import policy
from crony.model.lease import Scope
from crony.model.state import Origin
from crony.storage import rules
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import in_hands, text

_RUN = text(
    "SELECT r.schedule, r.group_name, r.origin, s.max_concurrent, g.max_concurrent,"
    " t.max_concurrent FROM runs r JOIN tenants t ON t.name = r.tenant"
    " LEFT JOIN schedules s ON s.id = r.schedule"
    " LEFT JOIN schedule_groups g ON g.tenant = r.tenant AND g.name = r.group_name"
    " WHERE r.id = :run AND r.tenant = :tenant"
)
_HELD = (
    "SELECT r.id FROM runs r WHERE {scope}"
    f" AND {in_hands('r.')} AND r.origin <> 'hook'"
)
_BY_SCHEDULE = text(_HELD.format(scope="r.schedule = :schedule"))
_BY_TENANT = text(_HELD.format(scope="r.tenant = :tenant"))
_BY_GROUP = text(_HELD.format(scope="r.tenant = :tenant AND r.group_name = :group"))


def scopes(connection: Connection, tenant: str, run: str) -> Sequence[Scope]:
    """Return the limits that hold for a run: none for a hook's."""
    row = connection.execute(_RUN, {"run": run, "tenant": tenant}).first()
    if row is None or row[2] == Origin.HOOK.value:
        return ()
    schedule, group, _, of_schedule, of_group, of_tenant = row
    named = {"schedule": schedule, "group": group, "tenant": tenant}
    if of_schedule == policy.NO_LIMIT:
        of_schedule = None
    found = []
    for kind, limit, statement in (
        ("schedule", of_schedule, _BY_SCHEDULE),
        ("group", of_group, _BY_GROUP),
        ("tenant", of_tenant, _BY_TENANT),
    ):
        held = sorted(connection.execute(statement, named).scalars())
        found.append(
            Scope(
                kind=kind,
                name=named[kind],
                limit=limit,
                held=len(held),
                runs=tuple(held[: rules.SCOPE_RUNS]),
            )
        )
    return tuple(found)
