"""Lanes: what runs ask of a worker, and of a group's limit; each kept once.

Leasable runs are indexed by lane, so that a worker looks only where it may take
from, however many runs wait for others, and a full group's runs are in nobody's
way. The runs of hooks, which no limit holds back, are in lanes without a group.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from crony import errors
from crony.model.run import Run
from crony.model.schedule import Definition
from crony.model.state import Origin
from crony.storage import rules
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import (
    among_numbers,
    by_index,
    each,
    part,
    part_number,
    text,
)
from crony.storage.sql.rows import ids

#: The group of the lanes of hooks' runs.
NO_GROUP = ""

_INSERT = text(
    "INSERT INTO lanes (tenant, queue, requires, level, group_name)"
    " VALUES (:tenant, :queue, :requires, :level, :group)"
    " ON CONFLICT DO NOTHING"
)
_FIND = text(
    "SELECT id FROM lanes WHERE tenant = :tenant AND queue = :queue"
    " AND group_name = :group AND requires = :requires AND level = :level"
)
_REQUIRES = text(
    f"SELECT d.schedule, d.revision, d.requires FROM {each('pairs', 'j')}"
    f" JOIN definitions d ON d.schedule = {part('j', 0)}"
    f" AND d.revision = {part_number('j', 1)}"
)
_SERVED = text(
    "SELECT l.id, l.requires, l.level, l.group_name"
    f" FROM {each('queues', 'q')} JOIN lanes l"
    " ON l.tenant = :tenant AND l.queue = q.value"
)


#: Runs that have ended, or were withdrawn, are in no lane that anybody looks at.
_IN_USE = text(
    f"SELECT DISTINCT r.lane FROM runs r {by_index('runs_by_state')}"
    " WHERE r.tenant = :tenant AND r.state IN ('pending','leased','running','stopping')"
)
_FORGET = text(
    "DELETE FROM lanes WHERE tenant = :tenant AND group_name = :group"
    f" AND id NOT IN {among_numbers('lanes')}"
)


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane that a worker may take from."""

    id: int
    #: ``NO_GROUP`` where no limit holds.
    group: str


def requires_out(definition: Definition) -> str:
    """Return the labels that a definition requires, as a lane has them."""
    return _requires_out(tuple(sorted(definition.requires.items())))


#: PERF: very many schedules require the same, or nothing.
@lru_cache(maxsize=1024)
def _requires_out(labels: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(labels, ensure_ascii=False)


def of_runs(connection: Connection, runs: Iterable[Run]) -> Mapping[str, int]:
    """Return the lane of each run, by the run's id."""
    wanted = list(runs)
    pairs = {(run.schedule, run.revision) for run in wanted}
    rows = connection.execute(_REQUIRES, {"pairs": json.dumps(list(pairs))})
    requires = {(row[0], row[1]): row[2] for row in rows}
    # PERF: a batch has few lanes.
    known: dict[tuple[object, ...], int] = {}
    lanes = {}
    for run in wanted:
        labels = requires.get((run.schedule, run.revision))
        if labels is None:
            raise errors.NotFound("definition", f"{run.schedule}@{run.revision}")
        group = NO_GROUP if run.origin is Origin.HOOK else run.group
        level = rules.rank(run.policy.sandbox.level)
        lane = (run.tenant, run.queue, group, labels, level)
        if lane not in known:
            known[lane] = _intern(connection, *lane)
        lanes[run.id] = known[lane]
    return lanes


def _intern(
    connection: Connection,
    tenant: str,
    queue: str,
    group: str,
    requires: str,
    level: int,
) -> int:
    """Return the number of a lane, which is made if it is new."""
    values = {
        "tenant": tenant,
        "queue": queue,
        "group": group,
        "requires": requires,
        "level": level,
    }
    found = connection.execute(_FIND, values).scalar()
    if found is None:
        connection.execute(_INSERT, values)
        found = connection.execute(_FIND, values).scalar_one()
    return int(found)


def satisfied(
    connection: Connection,
    tenant: str,
    *,
    queues: Iterable[str],
    labels: Mapping[str, str],
    level: str,
) -> list[Lane]:
    """Return the lanes that a worker with these may take from."""
    rows = connection.execute(_SERVED, {"queues": ids(set(queues)), "tenant": tenant})
    strength = rules.rank(level)
    return [
        Lane(lane, group)
        for lane, requires, least, group in rows
        if least <= strength
        and (requires == "[]" or rules.carries(labels, json.loads(requires)))
    ]


def forget(connection: Connection, tenant: str, group: str) -> None:
    """Forget the lanes of a group that is gone, save those with runs still.

    Every worker looks through the lanes of its queues: there must not be one for each
    group that ever was.
    """
    used = connection.execute(_IN_USE, {"tenant": tenant}).scalars()
    asked = {"tenant": tenant, "group": group, "lanes": json.dumps(used)}
    connection.execute(_FORGET, asked)
