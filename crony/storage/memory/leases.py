"""Leases, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crony.model import policy
from crony.model.lease import (
    Change,
    Closed,
    Closing,
    Confirmed,
    Holding,
    Loss,
    Offer,
    Ready,
    Renewed,
    Revoked,
    Scope,
    Standing,
)
from crony.model.run import Progress, Run
from crony.model.schedule import Definition
from crony.model.state import RunState
from crony.model.worker import Worker
from crony.storage import rules
from crony.storage.codec import cut, kept
from crony.storage.contract import Leases
from crony.storage.memory.admission import change, ready, scopes
from crony.storage.memory.closing import close, note_progress
from crony.storage.memory.confirming import confirm, prolong
from crony.storage.memory.deciding import bounded, lapse, overlap, undecided
from crony.storage.memory.ending import lose, take_offer
from crony.storage.memory.offering import offers
from crony.storage.memory.preempting import preempt
from crony.storage.memory.pulsing import pulse
from crony.storage.memory.records import Lease
from crony.storage.memory.state import Memory


class MemoryLeases(Leases):
    """Leases in a dict."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def begin(
        self, tenant: str, worker: str, *, session: str, sequence: int, now: datetime
    ) -> Worker:
        memory = self._memory
        with memory.verb():
            found = memory.worker(tenant, worker)
            replaced = memory.sessions.setdefault(worker, set())
            rules.check_begin(
                found, session=session, sequence=sequence, replaced=session in replaced
            )
            if found.session is not None and found.session != session:
                replaced.add(found.session)
            begun = replace(found, session=session, sequence=sequence)
            memory.see(begun, now=now)
            return kept(memory.workers[worker])

    def renew(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        holding: Sequence[Holding],
        now: datetime,
        lease_ttl: timedelta,
    ) -> tuple[Sequence[Renewed], Sequence[Revoked]]:
        memory = self._memory
        with memory.verb():
            found = memory.worker(tenant, worker)
            rules.check_stored(found, session=session)
            memory.see(found, now=now)
            renewed, revoked = [], []
            for item in holding:
                run = memory.runs.get(item.run)
                live = self._live(worker, item)
                if run is not None and live is not None:
                    end = prolong(memory, run, now=now, lease_ttl=lease_ttl)
                    renewed.append(Renewed(item.run, item.token, end))
                    if run.state is not RunState.STOPPING:
                        continue
                mine = run is not None and run.tenant == found.tenant
                reason = (
                    rules.cause(run.state, run.reason, newest=run.token == item.token)
                    if run is not None and mine and (live or run.over)
                    else "lost"
                )
                revoked.append(Revoked(item.run, item.token, reason))
            return tuple(renewed), tuple(revoked)

    def _live(self, worker: str, item: Holding) -> Lease | None:
        """Return the lease that this worker has under this token."""
        run = self._memory.runs.get(item.run)
        lease = self._memory.leases.get(item.run)
        if run is None or lease is None or run.token != item.token:
            return None
        return lease if lease.worker == worker else None

    def reclaim(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        sequence: int,
        holding: Sequence[Holding],
        now: datetime,
    ) -> tuple[Sequence[Loss], Ready]:
        memory = self._memory
        with memory.verb():
            found = memory.worker(tenant, worker)
            rules.check_session(found, session=session, sequence=sequence)
            gone = [
                memory.runs[run]
                for run, lease in memory.leases.items()
                if lease.worker == worker
                and Holding(run, memory.runs[run].token) not in holding
            ]
            return self._take(gone, now=now)

    def _take(
        self, runs: Sequence[Run], *, now: datetime
    ) -> tuple[Sequence[Loss], Ready]:
        """Take leases back: offers become pending, attempts are lost."""
        memory = self._memory
        losses = []
        with change(memory, *(run.schedule for run in runs)) as lines:
            for run in sorted(runs, key=lambda run: run.id):
                if run.state is RunState.LEASED:
                    take_offer(memory, run, now=now)
                else:
                    losses.append(lose(memory, run, now=cut(now)))
        return tuple(losses), ready(lines)

    def lease(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        sequence: int,
        slots: int,
        horizon: datetime,
        now: datetime,
        lease_ttl: timedelta,
    ) -> Sequence[Offer]:
        memory = self._memory
        with memory.verb():
            found = memory.worker(tenant, worker)
            rules.check_session(found, session=session, sequence=sequence)
            return offers(
                memory,
                found,
                slots=slots,
                horizon=horizon,
                now=cut(now),
                lease_ttl=lease_ttl,
            )

    def confirm(
        self,
        tenant: str,
        worker: str,
        items: Sequence[Holding],
        *,
        now: datetime,
        lease_ttl: timedelta,
    ) -> Sequence[Confirmed]:
        with self._memory.verb():
            return tuple(
                confirm(
                    self._memory,
                    tenant,
                    worker,
                    item,
                    now=cut(now),
                    lease_ttl=lease_ttl,
                )
                for item in items
            )

    def report(
        self, tenant: str, worker: str, items: Sequence[Closing], *, now: datetime
    ) -> tuple[Sequence[Closed], Ready]:
        memory = self._memory
        with memory.verb():
            runs = [memory.known(tenant, worker, i.run, i.token) for i in items]
            schedules = {run.schedule for run in runs if run is not None}
            with change(memory, *schedules) as lines:
                closed = [
                    close(memory, tenant, worker, kept(item), now=cut(now))
                    for item in items
                ]
            return tuple(closed), ready(lines)

    def progress(
        self, tenant: str, worker: str, token: int, entry: Progress
    ) -> Standing:
        memory = self._memory
        with memory.verb():
            standing = memory.standing(tenant, worker, entry.run, token)
            run = memory.runs.get(entry.run)
            if standing is not Standing.ACCEPTED or run is None:
                return standing
            note_progress(memory, run.schedule, kept(entry), now=entry.at)
            return standing

    def expire(
        self, *, now: datetime, limit: int, include_leases: bool
    ) -> tuple[Sequence[Loss], Ready]:
        memory = self._memory
        with memory.verb():
            unconfirmed, unrenewed = [], []
            for name, lease in memory.leases.items():
                run = memory.runs[name]
                if run.state is RunState.LEASED:
                    if lease.start_at + policy.CONFIRM_GRACE <= cut(now):
                        unconfirmed.append((lease.start_at, name, run))
                elif lease.expires_at <= cut(now):
                    unrenewed.append((lease.expires_at, name, run))
            gone = sorted(unconfirmed)[:limit]
            if include_leases:
                gone += sorted(unrenewed)[:limit]
            return self._take([run for _, _, run in gone], now=now)

    def overlap(self, *, now: datetime, limit: int) -> tuple[Sequence[Change], Ready]:
        with self._memory.verb():
            return overlap(self._memory, now=cut(now), limit=limit)

    def lapse(self, *, now: datetime, limit: int) -> tuple[Sequence[Change], Ready]:
        with self._memory.verb():
            return lapse(self._memory, now=cut(now), limit=limit)

    def preempt(self, *, now: datetime, limit: int) -> Sequence[Change]:
        with self._memory.verb():
            return preempt(self._memory, now=cut(now), limit=limit)

    def preemptible(self) -> bool:
        memory = self._memory
        with memory.verb():
            runs = [memory.runs[name] for name in memory.leases]
            return any(
                run.policy.preemptible and run.state is RunState.RUNNING for run in runs
            )

    def pulse(self, *, now: datetime, limit: int) -> int:
        with self._memory.verb():
            return pulse(self._memory, now=cut(now), limit=limit)

    def scopes(self, tenant: str, run: str) -> Sequence[Scope]:
        with self._memory.verb():
            found = self._memory.runs.get(run)
            if found is None or found.tenant != tenant:
                return ()
            return scopes(self._memory, found)

    def promote(self, *, horizon: datetime, limit: int) -> Ready:
        memory = self._memory
        with memory.verb():
            waiting = [
                (memory.runs[name].available_at, name) for name in memory.waiting
            ]
            lines = set()
            for available_at, name in sorted(waiting)[:limit]:
                if available_at <= cut(horizon):
                    memory.waiting.discard(name)
                    if name in memory.admitted:
                        run = memory.runs[name]
                        lines.add((run.tenant, run.queue))
            return frozenset(lines)

    def earliest(self) -> datetime | None:
        memory = self._memory
        with memory.verb():
            instants = [memory.runs[name].available_at for name in memory.waiting]
            instants += [run.due_at for run in undecided(memory)]
            instants += [at for at, _ in bounded(memory)]
            instants += [pulse.next_at for pulse in memory.pulses.values()]
            for name, lease in memory.leases.items():
                offer = memory.runs[name].state is RunState.LEASED
                confirm_by = lease.start_at + policy.CONFIRM_GRACE
                instants.append(confirm_by if offer else lease.expires_at)
            return min(instants, default=None)

    def inputs(
        self, tenant: str, runs: Sequence[str]
    ) -> Mapping[str, tuple[Run, Definition]]:
        memory = self._memory
        with memory.verb():
            found = [
                run
                for name in runs
                if (run := memory.runs.get(name)) is not None and run.tenant == tenant
            ]
            return {
                run.id: (
                    kept(replace(run, attempts=())),
                    kept(memory.definition_of(run)),
                )
                for run in found
            }
