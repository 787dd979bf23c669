"""The numbers of a tenant, or of all: read off the tallies, not counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from crony.model.state import ScheduleState
from crony.storage.codec import instant_in, instant_out
from crony.storage.contract import QueueStats, Stats
from crony.storage.redis.engine import Engine, Reply


def stats(engine: Engine, tenant: str | None, *, now: datetime) -> Stats:
    """Return the numbers of a tenant, or of all."""
    names = engine.tenants() if tenant is None else [tenant]
    asked = [(name, {"now": instant_out(now)}) for name in names]
    return _summed(engine.each("stats", asked))


def _summed(answers: Sequence[Reply]) -> Stats:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    slots: Counter[str] = Counter()
    oldest: dict[str, datetime] = {}
    for answer in answers:
        for queue, state, count in answer["counts"]:
            counts[queue][state] += count
        for queue, number in answer["slots"]:
            slots[queue] += number
        for queue, at in answer["oldest"]:
            due_at = instant_in(at)
            oldest[queue] = min(oldest.get(queue, due_at), due_at)
    schedules = counts.pop("", Counter())
    queues = tuple(
        QueueStats(
            queue=queue,
            pending=counts[queue]["pending"],
            leased=counts[queue]["leased"],
            running=counts[queue]["running"] + counts[queue]["stopping"],
            oldest_due=oldest.get(queue),
            slots=slots[queue],
        )
        for queue in sorted(counts.keys() | slots.keys())
    )
    leased = sum(line.leased for line in queues)
    running = sum(line.running for line in queues)
    return Stats(
        schedules={state: schedules[state.value] for state in ScheduleState},
        pending=sum(line.pending for line in queues),
        leased=leased,
        running=running,
        oldest_due=min(oldest.values(), default=None),
        slots=sum(answer["all_slots"] for answer in answers),
        slots_used=leased + running,
        queues=queues,
    )
