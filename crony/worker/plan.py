"""When a run must start, stop and be dead: arithmetic on given instants.

A plan neither reads a clock nor touches a process; the runner asks it what to do
and does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import Enum

from crony.worker.lease import Lease, Limit, limit
from crony.worker.outcome import StopCause

#: A kill is repeated until the end is seen.
_KILL_AGAIN = timedelta(seconds=1)
#: Every poll renews; less than this part of the lease time is not worth a word.
_LITTLE = 50


class Action(Enum):
    """What is due now."""

    GO_ON = "go_on"
    #: Not started, and never to be.
    GIVE_UP = "give_up"
    TERMINATE = "terminate"
    KILL = "kill"


class Plan:
    """One run's instants, all of them on ``CLOCK_BOOTTIME``."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.limit: Limit = self._limit_of(lease.expires_at)
        self.start_at = lease.start_at
        self.started_at: timedelta | None = None
        #: Why the task is stopped, or given up.
        self.cause: StopCause | None = None
        self._kill_at: timedelta | None = None
        self._over = False

    def refine(self, start_at: timedelta) -> None:
        """Take another reading of the instant to start at.

        It stays the same under one token, and each reading is late by as long as
        its answer travelled: so the earlier one is the better one.
        """
        self.start_at = min(self.start_at, start_at)

    def may_start(self, now: timedelta) -> bool:
        """Whether the task may be let go; a lease or a time that is over forbids it."""
        if self.cause is None and now >= self.limit.stop_at:
            self.cause = StopCause.LEASE_END
        if self.cause is None and self._past_deadline(now):
            self.cause = StopCause.DEADLINE
        return self.cause is None and self.started_at is None

    def renew(self, expires_at: timedelta, now: timedelta) -> bool:
        """Prolong the lease; whether anything has changed.

        Too late is too late: what the watchdog has killed does not live again.
        Without the little that is left out, a task only ends a little earlier.
        """
        renewed = self._limit_of(expires_at)
        if renewed.kill_at - self.limit.kill_at <= self._lease.lease_ttl / _LITTLE:
            return False
        if now >= self.limit.kill_at:
            self.cause = self.cause or StopCause.LEASE_END
            return True
        self.limit = renewed
        return True

    def stop(self, cause: StopCause, now: timedelta) -> None:
        """Stop for this cause, if none outweighs it.

        One that ends all claims on the run does, and whatever ends the run outweighs
        a preemption, after which it would go on elsewhere. What has ended by itself
        is not stopped any more.
        """
        if self._over and not cause.silent:
            return
        if self.cause is None or cause.weight > self.cause.weight:
            self.cause = cause
            if not cause.graceful:
                self._kill_at = now

    def action(self, now: timedelta) -> Action:
        """Return what is due, taking note that it is done now."""
        if self.cause is None:
            self.cause = self._overdue(now)
        if self.cause is None:
            return Action.GO_ON
        if self.started_at is None:
            return Action.GIVE_UP
        first = self._kill_at is None
        if self._kill_at is None:
            self._kill_at = now + self._lease.grace
        if now >= self._kill_at or now >= self.limit.kill_at:
            self._kill_at = now + _KILL_AGAIN
            return Action.KILL
        return Action.TERMINATE if first else Action.GO_ON

    def _overdue(self, now: timedelta) -> StopCause | None:
        started = self.started_at is not None
        if now >= (self.limit.stop_at if started else self.limit.kill_at):
            return StopCause.LEASE_END
        if self._past_deadline(now):
            return StopCause.DEADLINE
        if (
            self.started_at is not None
            and now >= self.started_at + self._lease.max_runtime
        ):
            return StopCause.MAX_RUNTIME
        return None

    def _past_deadline(self, now: timedelta) -> bool:
        return self._lease.deadline is not None and now >= self._lease.deadline

    def next_at(self, now: timedelta) -> timedelta:
        """Return when there will be something to do again."""
        if self.cause is None:
            return min(self._ends(now))
        if self._kill_at is None:
            return now
        if now < self.limit.kill_at:
            return min(self._kill_at, self.limit.kill_at)
        return self._kill_at

    def _ends(self, now: timedelta) -> Iterator[timedelta]:
        """Yield the instants of which the first ends it, if nothing does before."""
        if self._lease.deadline is not None:
            yield self._lease.deadline
        if self.started_at is not None:
            yield self.limit.stop_at
            yield self.started_at + self._lease.max_runtime
            return
        yield self.limit.kill_at
        # What ends it once it has started: who looks then needs no word of its start.
        after = (self.limit.stop_at, self.start_at + self._lease.max_runtime)
        yield from (end for end in after if end > now)

    def ended(self, now: timedelta, *, killed: bool) -> None:
        """Take note of the task's end; past the lease, a kill was the watchdog's."""
        self._over = True
        if self.cause is None and killed and now >= self.limit.kill_at:
            self.cause = StopCause.LEASE_END

    def _limit_of(self, expires_at: timedelta) -> Limit:
        return limit(
            expires_at, grace=self._lease.grace, lease_ttl=self._lease.lease_ttl
        )
