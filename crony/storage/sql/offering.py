"""Which runs a worker is offered: chosen from the lanes that suit it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from crony.clock import EPOCH
from crony.model.lease import Offer
from crony.model.run import Run
from crony.model.schedule import Definition
from crony.model.worker import Worker
from crony.storage import rules
from crony.storage.codec import (
    definition_in,
    duration_out,
    instant_in,
    instant_out,
)
from crony.storage.sql import dialect, lanes, places, rows
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import (
    among,
    among_numbers,
    each,
    each_number,
    greatest,
    packed_rows,
    part,
    part_number,
    text,
)
from crony.storage.sql.rows import RUN_COLUMNS, Columns

_FREE_FOR = (
    "(r.reserved_for IS NULL OR r.reserved_for = :worker OR r.reserved_until <= :now)"
)
_AVAILABLE = "r.available_at > :after AND r.available_at <= :until"
_RANKED = f"r.priority, {dialect.TURN} AS turn, r.catch_up, r.due_at, r.id"
_RANK = packed_rows("priority, turn, catch_up, due_at, id")
#: The first of each lane. What catches up comes apart, for a worker takes few of it:
#: the others are found however many of it there are. And what became available and was
#: not promoted yet: it is few, for a tick promotes it; not by the index of what is
#: admitted.
_CANDIDATES = text(
    f"SELECT l.value, (SELECT {_RANK} FROM (SELECT {_RANKED} FROM runs r"
    " WHERE r.lane = l.value AND r.catch_up = k.value"
    " AND r.state = 'pending' AND r.admitted = 1 AND r.waiting = 0"
    f" AND {_AVAILABLE} AND {_FREE_FOR}"
    f" ORDER BY r.priority DESC, {dialect.TURN}, r.due_at, r.id LIMIT :slots) found)"
    f" FROM {each_number('kinds', 'k')}, {each_number('lanes', 'l')}"
    f" UNION ALL SELECT lane, {_RANK} FROM (SELECT r.lane, {_RANKED} FROM runs r"
    " WHERE r.state = 'pending' AND r.waiting = 1"
    f" AND {_AVAILABLE} AND r.admitted + 0 = 1"
    f" AND r.lane IN {among_numbers('lanes')} AND {_FREE_FOR}) found GROUP BY lane"
)
_START = greatest("available_at", ":now")
_LEASE = text(
    "UPDATE runs SET state = 'leased', waiting = 0, token = token + 1,"
    " attempt = attempt + 1, worker = :worker, worker_name = :worker_name,"
    f" leased_at = :now, start_at = {_START},"
    f" expires_at = ({_START} * 1000 + :ttl) / 1000,"
    " reserved_for = NULL, changed_at = :now"
    f" WHERE id IN {among('runs')}"
    f" RETURNING {RUN_COLUMNS}, start_at, expires_at"
)
_DEFINITIONS = text(
    f"SELECT d.schedule, d.revision, d.body FROM {each('pairs', 'j')}"
    f" JOIN definitions d ON d.schedule = {part('j', 0)}"
    f" AND d.revision = {part_number('j', 1)}"
)


def offers(
    connection: Connection,
    worker: Worker,
    *,
    slots: int,
    horizon: datetime,
    now: datetime,
    lease_ttl: timedelta,
) -> Sequence[Offer]:
    """Lease the first runs that the worker may have, in the order of leasing."""
    chosen = _choose(connection, worker, slots=slots, horizon=horizon, now=now)
    if not chosen:
        return ()
    leased = connection.execute(
        _LEASE,
        {
            "runs": rows.ids(chosen),
            "worker": worker.id,
            "worker_name": worker.name,
            "now": instant_out(now),
            "ttl": duration_out(lease_ttl),
        },
    ).all()
    # What RETURNING returns has no order.
    by_id = {row[0]: row for row in leased}
    runs = [(by_id[run], rows.run(by_id[run])) for run in chosen]
    found = definitions(connection, [run for _, run in runs])
    return tuple(
        _offer(row, run, found[run.schedule, run.revision]) for row, run in runs
    )


#: What a run is ordered by, its id last.
Rank = tuple[int, int, int, int, str]


def _choose(
    connection: Connection,
    worker: Worker,
    *,
    slots: int,
    horizon: datetime,
    now: datetime,
) -> list[str]:
    """Return the first runs that the worker may have, in the order of leasing."""
    if worker.draining or slots < 1:
        return []
    satisfied = lanes.satisfied(
        connection,
        worker.tenant,
        queues=worker.queues,
        labels=worker.labels,
        level=worker.sandbox_level,
    )
    room = _Room(connection, worker, {lane.group for lane in satisfied})
    if room.held:
        return []
    chosen: list[str] = []
    start, present = instant_out(EPOCH) - 1, instant_out(min(now, horizon))
    # What may start now comes first: while there is enough of it, nobody looks at
    # what is to come, and afterwards no long line of it is in the way.
    for after, until in ((start, present), (present, instant_out(horizon))):
        if len(chosen) == slots:
            break
        groups = {
            lane.id: lane.group for lane in satisfied if room.for_group(lane.group)
        }
        asked: Parameters = {
            "lanes": json.dumps(list(groups)),
            "slots": slots - len(chosen),
            "after": after,
            "until": until,
            "worker": worker.id,
            "now": instant_out(now),
        }
        asked["kinds"] = "[0,1]" if room.for_catch_up() else "[0]"
        for rank, lane in sorted(_candidates(connection, asked)):
            if len(chosen) == slots:
                break
            if room.take(groups[lane], catch_up=rank[2]):
                chosen.append(rank[-1])
    return chosen


def _candidates(
    connection: Connection, asked: Parameters
) -> Iterator[tuple[Rank, int]]:
    """Return the first runs of lanes, with the lane of each.

    ``kinds`` are the values of ``catch_up`` that are looked for.
    """
    for lane, group in connection.execute(_CANDIDATES, asked).all():
        for priority, *rest in json.loads(group):
            yield (-priority, *rest), lane


class _Room:
    """What a worker may take in one step, under the limits that hold for it.

    That no other lease comes between is the write lock's doing.
    """

    def __init__(
        self, connection: Connection, worker: Worker, groups: Collection[str]
    ) -> None:
        found = places.for_worker(connection, worker.tenant, worker.id, groups)
        #: Whether nothing of the tenant may be taken.
        self.held = found.held
        self._tenant = found.tenant.free
        self._groups = {name: taken.free for name, taken in found.groups.items()}
        self._share = rules.catch_up_share(worker.slots) - found.catching_up

    def for_group(self, group: str) -> bool:
        """Return whether a run of the group may be taken; of no group, always."""
        if group == lanes.NO_GROUP:
            return True
        return self._tenant != 0 and self._groups.get(group) != 0

    def take(self, group: str, *, catch_up: int) -> bool:
        """Take a run of the group, if there is room for it."""
        if not self.for_group(group) or (catch_up and not self.for_catch_up()):
            return False
        if catch_up:
            self._share -= 1
        if group != lanes.NO_GROUP:
            if self._tenant is not None:
                self._tenant -= 1
            left = self._groups.get(group)
            if left is not None:
                self._groups[group] = left - 1
        return True

    def for_catch_up(self) -> bool:
        """Return whether the worker may take one more run that catches up."""
        return self._share > 0


def definitions(
    connection: Connection, runs: Sequence[Run]
) -> Mapping[tuple[str, int], Definition]:
    """Return the definitions that runs execute, by schedule and revision."""
    pairs = {(run.schedule, run.revision) for run in runs}
    found = connection.execute(_DEFINITIONS, {"pairs": json.dumps(list(pairs))})
    return {(row[0], row[1]): definition_in(row[2]) for row in found.all()}


def _offer(row: Columns, run: Run, definition: Definition) -> Offer:
    start_at, expires_at = row[-2:]
    return Offer(
        run=run,
        definition=definition,
        token=run.token,
        attempt=run.attempt,
        start_at=instant_in(start_at),
        expires_at=instant_in(expires_at),
    )
