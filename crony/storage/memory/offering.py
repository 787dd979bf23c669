"""Which runs a worker is offered, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crony.model.lease import Offer
from crony.model.run import Run
from crony.model.worker import Worker
from crony.storage import rules
from crony.storage.codec import cut, kept
from crony.storage.memory.admission import has_place, offered
from crony.storage.memory.records import Lease
from crony.storage.memory.state import Memory


def offers(
    memory: Memory,
    worker: Worker,
    *,
    slots: int,
    horizon: datetime,
    now: datetime,
    lease_ttl: timedelta,
) -> Sequence[Offer]:
    """Lease the first runs that the worker may have, in the order of leasing."""
    given: list[Offer] = []
    if worker.draining:
        return ()
    share = rules.catch_up_share(worker.slots) - catching_up(memory, worker)
    for run in candidates(memory, worker.tenant, horizon=horizon, now=now):
        if len(given) >= slots:
            break
        if (
            may_execute(memory, worker, run)
            and not _reserved_for_another(memory, worker, run, now=now)
            and not (run.catch_up and share < 1)
            and has_place(memory, run)
        ):
            share -= run.catch_up
            given.append(_offer(memory, worker, run, now=now, lease_ttl=lease_ttl))
    return tuple(given)


def candidates(
    memory: Memory, tenant: str | None, *, horizon: datetime, now: datetime
) -> Iterator[Run]:
    """Meet the admitted runs of a tenant, or of all, in the order of leasing.

    Whether there is a place for one is to be seen when it is its turn.
    """
    runs = [
        run
        for run in memory.runs.values()
        if tenant in (None, run.tenant)
        and offered(memory, run)
        and run.available_at <= cut(horizon)
    ]
    yield from sorted(runs, key=lambda run: (run.available_at > now, *_rank(run)))


def _rank(run: Run) -> tuple[int, datetime, bool, datetime, str]:
    return (-run.priority, rules.turn(run), run.catch_up, run.due_at, run.id)


def may_execute(memory: Memory, worker: Worker, run: Run) -> bool:
    """Return whether a worker has all that a run asks for."""
    return worker.tenant == run.tenant and rules.satisfied(
        rules.lane_of(run, memory.definition_of(run)),
        queues=worker.queues,
        labels=worker.labels,
        level=worker.sandbox_level,
    )


def reserved(memory: Memory, run: Run, *, now: datetime) -> str | None:
    """Return the worker for which a run is reserved."""
    reservation = memory.reserved.get(run.id)
    if reservation is None or reservation.until <= now:
        return None
    return reservation.worker


def _reserved_for_another(
    memory: Memory, worker: Worker, run: Run, *, now: datetime
) -> bool:
    return reserved(memory, run, now=now) not in (None, worker.id)


def catching_up(memory: Memory, worker: Worker) -> int:
    """Return how many runs that catch up a worker has in its hands."""
    return sum(
        lease.worker == worker.id and memory.runs[name].catch_up
        for name, lease in memory.leases.items()
    )


def _offer(
    memory: Memory, worker: Worker, run: Run, *, now: datetime, lease_ttl: timedelta
) -> Offer:
    start_at = max(run.available_at, now)
    leased = rules.leased(run, worker, now=now)
    memory.put(leased, now=now)
    lease = Lease(worker.id, start_at, cut(start_at + lease_ttl))
    memory.leases[run.id] = lease
    memory.grants[run.id, leased.token] = worker.id
    return Offer(
        run=kept(replace(leased, attempts=())),
        definition=kept(memory.definition_of(run)),
        token=leased.token,
        attempt=leased.attempt,
        start_at=start_at,
        expires_at=lease.expires_at,
    )
