"""Lanes: what runs ask of a worker, each kept once, and known by a number.

Leasable runs are indexed by lane, so that a worker looks only where it may take
from, however many runs wait for others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import text
from sqlalchemy.engine import Connection

from crony import errors
from crony.model.run import Run
from crony.model.schedule import Definition
from crony.storage import rules
from crony.storage.codec import definition_in
from crony.storage.sql.dialect import each, part
from crony.storage.sql.rows import ids

_INSERT = text(
    "INSERT INTO lanes (tenant, queue, requires, level)"
    " VALUES (:tenant, :queue, :requires, :level)"
    " ON CONFLICT (tenant, queue, requires, level) DO NOTHING"
)
_FIND = text(
    "SELECT id FROM lanes WHERE tenant = :tenant AND queue = :queue"
    " AND requires = :requires AND level = :level"
)
_OF_RUNS = text(
    "SELECT d.schedule, d.revision, d.lane, d.queue"
    f" FROM {each('pairs', 'j')} JOIN definitions d"
    f" ON d.schedule = {part('j', 0)}"
    f" AND d.revision = {part('j', 1)}"
)
_BODY = text(
    "SELECT body FROM definitions WHERE schedule = :schedule AND revision = :revision"
)
_SERVED = text(
    f"SELECT l.id, l.queue, l.requires, l.level FROM {each('queues', 'q')}"
    " JOIN lanes l ON l.tenant = :tenant AND l.queue = q.value"
)


def intern(connection: Connection, lane: rules.Lane) -> int:
    """Return the number of a lane, which is made if it is new."""
    values = {
        "tenant": lane.tenant,
        "queue": lane.queue,
        "requires": json.dumps(lane.requires, ensure_ascii=False),
        "level": lane.level,
    }
    found = connection.execute(_FIND, values).scalar()
    if found is None:
        connection.execute(_INSERT, values)
        found = connection.execute(_FIND, values).scalar_one()
    return int(found)


def of_definition(connection: Connection, tenant: str, definition: Definition) -> int:
    """Return the lane of the runs of a definition."""
    return intern(connection, rules.lane(tenant, definition.queue, definition))


def of_runs(connection: Connection, runs: Iterable[Run]) -> Mapping[str, int]:
    """Return the lane of each run, by the run's id."""
    wanted = list(runs)
    pairs = {(run.schedule, run.revision) for run in wanted}
    rows = connection.execute(_OF_RUNS, {"pairs": json.dumps(list(pairs))})
    known = {(row[0], row[1]): (row[2], row[3]) for row in rows}
    lanes = {}
    for run in wanted:
        pair = (run.schedule, run.revision)
        if pair not in known:
            raise errors.NotFound("definition", f"{run.schedule}@{run.revision}")
        lane, queue = known[pair]
        lanes[run.id] = lane if queue == run.queue else _elsewhere(connection, run)
    return lanes


def _elsewhere(connection: Connection, run: Run) -> int:
    """Return the lane of a run whose queue is not its definition's."""
    asked = {"schedule": run.schedule, "revision": run.revision}
    body = connection.execute(_BODY, asked).scalar_one()
    return intern(connection, rules.lane(run.tenant, run.queue, definition_in(body)))


def satisfied(
    connection: Connection,
    tenant: str,
    *,
    queues: Iterable[str],
    labels: Mapping[str, str],
    level: str,
) -> list[int]:
    """Return the lanes that a worker with these may take from."""
    rows = connection.execute(_SERVED, {"queues": ids(set(queues)), "tenant": tenant})
    strength = rules.rank(level)
    return [
        lane
        for lane, _, requires, least in rows
        if least <= strength
        and (requires == "[]" or rules.carries(labels, json.loads(requires)))
    ]
