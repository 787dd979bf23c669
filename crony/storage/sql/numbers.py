"""The numbers of a tenant, or of all: read off the tallies, not counted."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from crony.model.state import ScheduleState
from crony.storage.codec import instant_out, maybe_instant_in
from crony.storage.contract import QueueStats, Stats
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import text, total, unpacked

#: The oldest of each line is one look into an index.
_TALLIES = text(
    "SELECT t.queue, t.state, t.count, CASE WHEN t.state = 'pending' THEN"
    " (SELECT r.due_at FROM runs r WHERE r.tenant = t.tenant AND r.queue = t.queue"
    " AND r.state = 'pending' AND r.due_at <= :now ORDER BY r.due_at LIMIT 1) END"
    " FROM tallies t WHERE t.count > 0 AND t.tenant = coalesce(:tenant, t.tenant)"
)
_SLOTS = text(
    f"SELECT q.value, {total('w.slots')} FROM workers w,"
    f" {unpacked('w.queues', 'q')}"
    " WHERE w.tenant = coalesce(:tenant, w.tenant) GROUP BY q.value"
)
_ALL_SLOTS = text(
    f"SELECT {total('slots')} FROM workers WHERE tenant = coalesce(:tenant, tenant)"
)


def stats(connection: Connection, tenant: str | None, *, now: datetime) -> Stats:
    """Return the numbers of a tenant, or of all."""
    asked = {"tenant": tenant, "now": instant_out(now)}
    schedules: dict[str, int] = defaultdict(int)
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    oldest: dict[str, list[int]] = defaultdict(list)
    for queue, state, count, due_at in connection.execute(_TALLIES, asked):
        if not queue:
            schedules[state] += count
            continue
        counts[queue][state] += count
        if due_at is not None:
            oldest[queue].append(due_at)
    slots = {row[0]: row[1] for row in connection.execute(_SLOTS, asked)}
    queues = tuple(
        QueueStats(
            queue=queue,
            pending=counts[queue]["pending"],
            leased=counts[queue]["leased"],
            running=counts[queue]["running"] + counts[queue]["stopping"],
            oldest_due=maybe_instant_in(min(oldest[queue], default=None)),
            slots=slots.get(queue, 0),
        )
        for queue in sorted(counts.keys() | slots.keys())
    )
    dues = [line.oldest_due for line in queues if line.oldest_due is not None]
    leased = sum(line.leased for line in queues)
    running = sum(line.running for line in queues)
    return Stats(
        schedules={state: schedules[state.value] for state in ScheduleState},
        pending=sum(line.pending for line in queues),
        leased=leased,
        running=running,
        oldest_due=min(dues, default=None),
        slots=connection.execute(_ALL_SLOTS, asked).scalar_one(),
        slots_used=leased + running,
        queues=queues,
    )
