"""Leasing: what workers ask for, hold, confirm and report.

What a worker is given is decided in the store, in single steps; this puts the
steps in order, computes what the policy says of retries, and tells who waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crony import log
from crony.clock import Clock, cut
from crony.model.lease import (
    Closed,
    Closing,
    Confirmed,
    Holding,
    Offer,
    Renewed,
    Revoked,
    Standing,
)
from crony.model.policy import Policy, backoff
from crony.model.run import LogChunk, Progress, Run
from crony.model.state import FAILURES, TERMINAL, RunState
from crony.model.worker import Worker
from crony.scheduler import hooks
from crony.scheduler.losses import tell
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.storage import rules
from crony.storage.contract import Store

_log = log.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """The answer to a poll."""

    renewed: Sequence[Renewed]
    revoked: Sequence[Revoked]
    offers: Sequence[Offer]
    draining: bool
    #: Who asked, as the store has it; ``None`` where that was not looked up.
    worker: Worker | None = None


class Leasing:
    """What workers do."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        timing: Timing,
        wakes: Wakes,
        fraction: Callable[[], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._timing = timing
        self._wakes = wakes
        self._fraction = fraction

    def poll(
        self,
        tenant: str,
        worker_id: str,
        *,
        session: str,
        sequence: int,
        slots: int,
        holding: Sequence[Holding],
    ) -> Polled:
        """Renew what the worker holds, take back what it does not, offer more.

        Raises ``StaleToken`` for a session or a sequence that a newer one has
        replaced, ``NotFound`` for a worker that is gone.
        """
        now = self._clock.now()
        worker = self._store.leases.begin(
            tenant, worker_id, session=session, sequence=sequence, now=now
        )
        renewed: Sequence[Renewed] = ()
        revoked: Sequence[Revoked] = ()
        if holding:
            renewed, revoked = self._store.leases.renew(
                tenant,
                worker_id,
                session=session,
                holding=holding,
                now=now,
                lease_ttl=self._timing.lease_ttl,
            )
        # PERF: to look costs no write. Nothing is given to the worker meanwhile: this
        # is its newest poll.
        if self._store.workers.running(tenant, [worker_id])[worker_id]:
            losses, ready = self._store.leases.reclaim(
                tenant,
                worker_id,
                session=session,
                sequence=sequence,
                holding=holding,
                now=now,
            )
            tell(losses, wakes=self._wakes)
            self._wakes.publish(ready)
        offers = self._lease(
            tenant, worker_id, session=session, sequence=sequence, slots=slots
        )
        return Polled(
            renewed=renewed,
            revoked=revoked,
            offers=offers,
            draining=worker.draining,
            worker=worker,
        )

    def again(
        self,
        tenant: str,
        worker_id: str,
        *,
        session: str,
        sequence: int,
        slots: int,
        holding: Sequence[Holding],
    ) -> Polled:
        """Look again for a poll that waits: offers and revocations, no renewal.

        Raises ``StaleToken`` when a newer poll came meanwhile.
        """
        revoked = self._revoked(tenant, worker_id, holding) if holding else []
        offers = self._lease(
            tenant, worker_id, session=session, sequence=sequence, slots=slots
        )
        return Polled(
            renewed=(),
            revoked=revoked,
            offers=offers,
            draining=self._is_draining(tenant, worker_id),
        )

    def renew(
        self,
        tenant: str,
        worker_id: str,
        *,
        session: str,
        holding: Sequence[Holding],
    ) -> Polled:
        """Renew, and nothing else.

        Renewals have no order among themselves nor beside polls: a late one never
        moves the end of a lease back.
        """
        renewed, revoked = self._store.leases.renew(
            tenant,
            worker_id,
            session=session,
            holding=holding,
            now=self._clock.now(),
            lease_ttl=self._timing.lease_ttl,
        )
        return Polled(
            renewed=renewed,
            revoked=revoked,
            offers=(),
            draining=self._is_draining(tenant, worker_id),
        )

    def confirm(
        self, tenant: str, worker_id: str, items: Sequence[Holding]
    ) -> Sequence[Confirmed]:
        """Let offers start; one answer each, in order."""
        answers = self._store.leases.confirm(
            tenant,
            worker_id,
            items,
            now=self._clock.now(),
            lease_ttl=self._timing.lease_ttl,
        )
        self._wakes.publish_runs(
            frozenset(a.run for a in answers if a.standing is Standing.ACCEPTED)
        )
        return answers

    def report(
        self, tenant: str, worker_id: str, items: Sequence[Closing]
    ) -> Sequence[Closed]:
        """End attempts; one answer each, in order.

        ``retry_at`` of the items is worked out here, whatever it was.
        """
        now = self._clock.now()
        inputs = self._store.leases.inputs(tenant, [item.run for item in items])
        runs = {run: found for run, (found, _) in inputs.items()}
        closings = [self._closing(item, runs.get(item.run), now) for item in items]
        closed, ready = self._store.leases.report(tenant, worker_id, closings, now=now)
        self._wakes.publish(ready)
        accepted = [c for c in closed if c.standing is Standing.ACCEPTED]
        self._wakes.publish_runs(frozenset(c.run for c in accepted))
        for answer in accepted:
            _log.info(
                "attempt reported",
                run=answer.run,
                worker=worker_id,
                state=answer.state,
            )
        soon = now + self._timing.lease_ahead + timedelta(seconds=1)
        again = any(c.retry_at is not None and c.retry_at <= soon for c in closings)
        if again or any(c.run in runs and runs[c.run].hooks for c in accepted):
            # A retry, or a hook that is owed, may be nearer than the next tick.
            self._wakes.publish_tick()
        return closed

    def progress(
        self,
        tenant: str,
        worker_id: str,
        run: str,
        token: int,
        *,
        percent: float | None,
        message: str,
    ) -> Standing:
        """Record how far an attempt is."""
        found = self._store.leases.inputs(tenant, [run]).get(run)
        entry = Progress(
            run=run,
            # The store refuses the entry where the token is not this attempt's.
            attempt=found[0].attempt if found is not None else 0,
            source="task",
            at=cut(self._clock.now()),
            percent=percent,
            message=message,
        )
        standing = self._store.leases.progress(tenant, worker_id, token, entry)
        if standing is Standing.ACCEPTED:
            self._wakes.publish_run(run)
        return standing

    def log(
        self,
        tenant: str,
        worker_id: str,
        run: str,
        token: int,
        chunks: Sequence[LogChunk],
    ) -> Standing:
        """Add output of an attempt."""
        found = self._store.leases.inputs(tenant, [run]).get(run)
        kept = (found[0].policy if found else Policy()).retention
        standing = self._store.logs.append(
            tenant,
            worker_id,
            run,
            token,
            chunks,
            head=kept.log_head,
            bound=kept.log,
        )
        if standing is Standing.ACCEPTED:
            self._wakes.publish_run(run)
        return standing

    def _lease(
        self, tenant: str, worker_id: str, *, session: str, sequence: int, slots: int
    ) -> Sequence[Offer]:
        now = self._clock.now()
        offers = self._store.leases.lease(
            tenant,
            worker_id,
            session=session,
            sequence=sequence,
            slots=slots,
            horizon=now + self._timing.lease_ahead,
            now=now,
            lease_ttl=self._timing.lease_ttl,
        )
        self._wakes.publish_runs(frozenset(offer.run.id for offer in offers))
        return offers

    def _closing(self, item: Closing, run: Run | None, now: datetime) -> Closing:
        """Return the end of an attempt with the retry that the policy gives it."""
        finished_at = min(item.finished_at, now)
        if run is None:
            return replace(item, finished_at=finished_at, retry_at=None)
        if run.started_at is not None:
            # The worker's word of how long ago counts from when it is heard.
            finished_at = max(finished_at, run.started_at)
        return replace(
            item,
            finished_at=finished_at,
            retry_at=self._retry_at(item, run, now),
            says=hooks.says(self._store, run, item),
        )

    def _retry_at(self, item: Closing, run: Run, now: datetime) -> datetime | None:
        """Return when the policy would try again, if it would, and in time."""
        retries = run.policy.retries
        if item.state not in FAILURES or run.failures >= retries.max:
            return None
        retry_at = now + backoff(
            retries, failures=run.failures + 1, fraction=self._fraction()
        )
        late = run.deadline_at is not None and retry_at >= run.deadline_at
        return None if late else retry_at

    def _revoked(
        self, tenant: str, worker: str, holding: Sequence[Holding]
    ) -> list[Revoked]:
        """Return what a worker must give up of what it holds.

        The rule of the contract's ``renew``, without renewing.
        """
        found = self._store.leases.inputs(tenant, [item.run for item in holding])
        held = frozenset(self._store.workers.running(tenant, [worker])[worker])
        revoked = []
        for item in holding:
            run = found[item.run][0] if item.run in found else None
            reason = _reason(item, run, is_held=item.run in held)
            if reason is not None:
                revoked.append(Revoked(item.run, item.token, reason))
        return revoked

    def _is_draining(self, tenant: str, worker: str) -> bool:
        found = self._store.workers.find(tenant, worker)
        return found is not None and found.draining


def _reason(holding: Holding, run: Run | None, *, is_held: bool) -> str | None:
    """Return why a worker must give up what it says it holds, if it must."""
    if run is None or run.token != holding.token:
        return "lost"
    if run.state not in TERMINAL and not is_held:
        return "lost"
    if run.state in (RunState.LEASED, RunState.RUNNING):
        return None
    return rules.cause(run.state, run.reason, newest=True)
