"""A lease as the worker sees it: all times on its own ``CLOCK_BOOTTIME``.

The service speaks in durations. ``start_in`` counts from the receipt of the
answer, ``expires_in`` from the *sending* of the request plus the time that the
service held it: both readings err to the safe side, never early and never longer
than the service grants.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from crony.model.task import JsonObject
from crony.worker import reading

#: An offer that is not confirmed this long after its instant is offered to others.
CONFIRM_WITHIN = timedelta(seconds=5)

#: The watchdog kills this long before a lease is over.
MARGIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Exchange:
    """When a request was sent, how long it was held, when the answer came."""

    sent: timedelta
    held: timedelta
    received: timedelta

    @property
    def granted(self) -> timedelta:
        """The instant that what the answer grants is counted from."""
        return self.sent + self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a schedule asks of its sandbox; ``level`` is the least it accepts."""

    level: str
    network: str
    memory: int
    cpu: float
    pids: int
    disk: int
    ro_paths: tuple[str, ...]
    rw_paths: tuple[str, ...]
    pass_env: tuple[str, ...]
    #: As the service wrote it, for the attempt's record.
    written: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to execute one attempt, until confirmed only an offer."""

    run: str
    token: int
    schedule: str
    schedule_name: str | None
    attempt: int
    scheduled_for: str
    #: In the past when the run is late already: lateness counts from here.
    start_at: timedelta
    #: Until then the offer stands.
    confirm_by: timedelta
    expires_at: timedelta
    #: How long the service grants; an offer has the wait for its instant on top.
    lease_ttl: timedelta
    task: JsonObject
    max_runtime: timedelta
    grace: timedelta
    #: Not started by then, it never is; running by then, it is stopped.
    deadline: timedelta | None
    #: The same as the service has it, for the task to read.
    deadline_at: str | None
    #: Bytes of output that are kept, and how many of them in one piece.
    log: int
    log_part: int
    sandbox: Wish

    @property
    def key(self) -> tuple[str, int]:
        """What every message about it names."""
        return self.run, self.token


def parse(body: JsonObject, exchange: Exchange) -> Lease:
    """Read one lease of an answer."""
    limits = reading.mapping(body, "limits")
    start_in = reading.duration(body, "start_in")
    expires_in = reading.duration(body, "expires_in")
    deadline_in = reading.optional_duration(limits, "deadline_in")
    return Lease(
        run=reading.text(body, "run"),
        token=reading.integer(body, "token"),
        schedule=reading.text(body, "schedule"),
        schedule_name=reading.optional_text(body, "schedule_name"),
        attempt=reading.integer(body, "attempt"),
        scheduled_for=reading.text(body, "scheduled_for"),
        start_at=exchange.received + start_in,
        confirm_by=exchange.received + max(start_in, timedelta(0)) + CONFIRM_WITHIN,
        expires_at=exchange.granted + expires_in,
        lease_ttl=expires_in - max(start_in, timedelta(0)),
        task=reading.mapping(body, "task"),
        max_runtime=reading.duration(limits, "max_runtime"),
        grace=reading.duration(limits, "grace"),
        deadline=None if deadline_in is None else exchange.received + deadline_in,
        deadline_at=reading.optional_text(body, "deadline_at"),
        log=reading.size(limits, "log"),
        log_part=reading.size(limits, "log_part"),
        sandbox=_wish(reading.mapping(body, "sandbox")),
    )


def _wish(body: JsonObject) -> Wish:
    return Wish(
        level=reading.text(body, "level"),
        network=reading.text(body, "network"),
        memory=reading.size(body, "memory"),
        cpu=reading.number(body, "cpu"),
        pids=reading.integer(body, "pids"),
        disk=reading.size(body, "disk"),
        ro_paths=reading.words(body, "ro_paths"),
        rw_paths=reading.words(body, "rw_paths"),
        pass_env=reading.words(body, "pass_env"),
        written=body,
    )


@dataclass(frozen=True, slots=True)
class Limit:
    """When a task must have been stopped, so that it never outlives its lease.

    The watchdog kills at ``kill_at``, whatever has become of the worker. The
    worker itself begins at ``stop_at``, the task's grace before that. Grace is
    shortened to a third of what there is, so that renewals that are merely late
    do not stop a task that may go on.
    """

    stop_at: timedelta
    kill_at: timedelta


def limit(expires_at: timedelta, *, grace: timedelta, lease_ttl: timedelta) -> Limit:
    """Return when to stop for a lease that ends at ``expires_at``."""
    margin = min(MARGIN, lease_ttl / 2)
    kill_at = expires_at - margin
    return Limit(kill_at - min(grace, (lease_ttl - margin) / 3), kill_at)
