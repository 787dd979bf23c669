"""What the reference driver keeps, and the ways by which it changes.

Runs change by ``put`` alone, schedules by ``put_schedule`` and ``drop_schedule``: so
no event of a change can be forgotten, and nothing that hangs on a run's state stays
behind it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from crony import errors
from crony.model.event import Event
from crony.model.group import Group, Profile
from crony.model.hook import FollowUp, HookKind
from crony.model.lease import Standing
from crony.model.moving import Pruned
from crony.model.run import Progress, Run
from crony.model.schedule import Definition, Schedule, Version
from crony.model.state import HELD, RunState
from crony.model.task import JsonObject
from crony.model.webhook import Delivery, Webhook
from crony.model.worker import Key, Tenant, Worker
from crony.storage import changes, rules
from crony.storage.codec import cut, kept
from crony.storage.contract import Answer, Position
from crony.storage.memory.records import Duty, Lease, Output, Pulse, Reservation


class Memory:
    """All of the store's contents, under one lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.opened = False
        self.schedules: dict[str, Schedule] = {}
        #: These stay when a schedule is deleted; the first is id and tenant.
        self.used: dict[str, str] = {}
        self.limits: dict[str, int] = {}
        self.definitions: dict[tuple[str, int], Definition] = {}
        self.versions: dict[str, list[Version]] = {}
        self.pruned: dict[str, Pruned] = {}
        self.runs: dict[str, Run] = {}
        self.leases: dict[str, Lease] = {}
        #: Who was given which token of which run, offers included.
        self.grants: dict[tuple[str, int], str] = {}
        self.admitted: set[str] = set()
        #: Pending runs that were not available when they became pending.
        self.waiting: set[str] = set()
        self.reserved: dict[str, Reservation] = {}
        self.pulses: dict[str, Pulse] = {}
        self.follow_ups: dict[tuple[str, int, HookKind, int], FollowUp] = {}
        #: What hooks said, by run and token.
        self.says: dict[tuple[str, int], str] = {}
        self.progress: dict[str, list[Progress]] = {}
        self.outputs: dict[tuple[str, int], Output] = {}
        self.workers: dict[str, Worker] = {}
        #: Workers noted as lost, until they are seen again.
        self.lost: set[str] = set()
        self.sessions: dict[str, set[str]] = {}
        self.keys: dict[str, Key] = {}
        self.tenants: dict[str, Tenant] = {}
        self.groups: dict[tuple[str, str], Group] = {}
        self.profiles: dict[tuple[str, str], Profile] = {}
        self.events: list[Event] = []
        self.sequence = 0
        #: The newest event of each tenant that was pruned.
        self.forgotten: dict[str, int] = {}
        self.webhooks: dict[tuple[str, str], Webhook] = {}
        self.deliveries: dict[tuple[str, str, int], Delivery] = {}
        self.answers: dict[tuple[str, str], Answer] = {}
        self.duties: dict[str, Duty] = {}

    @contextmanager
    def verb(self) -> Iterator[None]:
        """Hold the lock of an open store."""
        with self.lock:
            if not self.opened:
                raise errors.StoreUnavailable(
                    "the store is closed", retry_after=timedelta(seconds=1)
                )
            yield

    def put(self, run: Run, *, now: datetime) -> None:
        """Keep a run as it is now, and leave the events of what changed.

        What is not held any more has no lease, and so on for all that goes with a
        state.
        """
        before = self.runs.get(run.id)
        self.runs[run.id] = run
        self.waiting.discard(run.id)
        if run.state is RunState.PENDING and run.available_at > cut(now):
            self.waiting.add(run.id)
        if run.state not in HELD:
            self.leases.pop(run.id, None)
        if run.state is not RunState.PENDING:
            self.reserved.pop(run.id, None)
        self._pulse(before, run)
        ended = changes.told_end(before, run)
        if ended is not None:
            self.tell_run(ended.value, run, now=now)
        if before is None or before.state is not run.state:
            self.tell_run(run.state.value, run, now=now)

    def _pulse(self, before: Run | None, run: Run) -> None:
        """Let the progress hook of an attempt begin, or end, with it."""
        if run.state is not RunState.RUNNING:
            self.pulses.pop(run.id, None)
            return
        first = None if before is None else rules.first_pulse(before.state, run)
        if first is not None:
            self.pulses[run.id] = Pulse(first)

    def tell_run(self, word: str, run: Run, *, now: datetime) -> None:
        """Leave the event ``run.<word>``."""
        self._tell(
            run.tenant,
            f"run.{word}",
            run.id,
            schedule=run.schedule,
            run=summary(run),
            data=None,
            now=now,
        )

    def put_schedule(self, schedule: Schedule, *, limit: int, now: datetime) -> None:
        """Keep a schedule, its definition and its version; leave the events."""
        before = self.schedules.get(schedule.id)
        self.schedules[schedule.id] = after = kept(schedule)
        self.definitions[schedule.id, schedule.revision] = after.definition
        self.limits[schedule.id] = limit
        since = cut(now)
        if before is None:
            self.used[schedule.id] = schedule.tenant
            since = after.created_at - timedelta(milliseconds=1)
        if before is None or changes.is_other_version(before, after):
            version = changes.version_of(after, since=since)
            self.versions.setdefault(schedule.id, []).append(version)
        words = ["created"] if before is None else changes.of_update(before, after)
        for word in words:
            self._tell_schedule(word, after, now=now)

    def check_name(self, schedule: Schedule) -> None:
        """Refuse a schedule whose name is another's."""
        name = schedule.definition.name
        for other in self.schedules.values():
            same = name is not None and other.definition.name == name
            if same and other.tenant == schedule.tenant and other.id != schedule.id:
                raise errors.NameTaken("schedule", str(name), holder=other.id)

    def move(self, schedule: Schedule, *, now: datetime) -> None:
        """Keep a schedule whose occurrences were settled."""
        self.schedules[schedule.id] = schedule
        if schedule.cursor is None:
            self._tell_schedule("finished", schedule, now=now)

    def drop_schedule(self, schedule: str, *, now: datetime) -> None:
        """Forget a schedule; what stays of it is its history."""
        self._tell_schedule("deleted", self.schedules.pop(schedule), now=now)
        self.progress.pop(schedule, None)

    def _tell_schedule(self, word: str, schedule: Schedule, *, now: datetime) -> None:
        self._tell(
            schedule.tenant,
            f"schedule.{word}",
            schedule.id,
            schedule=schedule.id,
            run=None,
            data=changes.schedule_data(schedule),
            now=now,
        )

    def tell_worker(self, word: str, worker: Worker, *, now: datetime) -> None:
        """Leave the event ``worker.<word>``."""
        self._tell(
            worker.tenant,
            f"worker.{word}",
            worker.id,
            schedule=None,
            run=None,
            data=changes.worker_data(worker, word),
            now=now,
        )

    def _tell(
        self,
        tenant: str,
        kind: str,
        subject: str,
        *,
        schedule: str | None,
        run: Run | None,
        data: JsonObject | None,
        now: datetime,
    ) -> None:
        self.sequence += 1
        self.events.append(
            Event(
                sequence=self.sequence,
                tenant=tenant,
                type=kind,
                subject=subject,
                schedule=schedule,
                at=cut(now),
                run=run,
                data=data,
            )
        )

    def is_held(self, tenant: str) -> bool:
        """Return whether nothing of a tenant comes due or is leased."""
        found = self.tenants.get(tenant)
        return found is not None and found.held

    def walk(
        self, *, limit: int, after: Position | None
    ) -> tuple[list[tuple[str, str]], Position | None]:
        """Return (tenant, id) of schedules that ever were, and where to go on."""
        found = sorted((tenant, name) for name, tenant in self.used.items())
        if after is not None:
            found = [place for place in found if place > after]
        return found[:limit], found[limit - 1] if len(found) >= limit else None

    def definition_of(self, run: Run) -> Definition:
        """Return the definition that a run executes."""
        return self.definitions[run.schedule, run.revision]

    def full(self, run: Run) -> Run:
        """Return the run with what its attempts have written."""
        attempts = []
        for attempt in run.attempts:
            output = self.outputs.get((run.id, attempt.token), Output())
            attempts.append(
                replace(
                    attempt,
                    log_bytes=sum(output.positions.values()),
                    log_kept=output.kept,
                )
            )
        return kept(replace(run, attempts=tuple(attempts)))

    def known(self, tenant: str, worker: str, run: str, token: int) -> Run | None:
        """Return the run, if this worker was ever given this token of it."""
        found = self.runs.get(run)
        holder = self.workers.get(worker)
        if found is None or holder is None:
            return None
        if {found.tenant, holder.tenant} != {tenant}:
            return None
        return found if self.grants.get((run, token)) == worker else None

    def standing(self, tenant: str, worker: str, run: str, token: int) -> Standing:
        """Return what a write about a running attempt meets."""
        found = self.known(tenant, worker, run, token)
        if found is None:
            return Standing.UNKNOWN
        attempt = found.attempt_under(token)
        return rules.running_standing(
            token,
            current=found.token,
            state=found.state,
            was=None if attempt is None else attempt.state,
        )

    def worker(self, tenant: str, worker: str) -> Worker:
        """Return the worker."""
        found = self.workers.get(worker)
        if found is None or found.tenant != tenant:
            raise errors.NotFound("worker", worker)
        return found

    def see(self, worker: Worker, *, now: datetime) -> None:
        """Keep a worker that was seen just now."""
        seen_at = max(worker.seen_at, cut(now))
        self.workers[worker.id] = replace(worker, seen_at=seen_at)
        self.lost.discard(worker.id)


def summary(run: Run) -> Run:
    """Return the run without its attempts and its result."""
    return kept(replace(run, attempts=(), result=None))
