"""Two stores side by side: the same verbs, the same answers, the same state.

Hypothesis makes up histories; after each step everything that can be seen of one
store must equal what can be seen of the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from crony import errors
from crony.model import ids
from crony.model.lease import Holding, Standing
from crony.model.policy import PolicySettings, SandboxSettings
from crony.model.run import LogChunk, Progress, Run
from crony.model.schedule import Schedule
from crony.model.state import (
    HELD,
    AttemptState,
    Origin,
    Reason,
    RunState,
    ScheduleState,
)
from crony.storage.contract import (
    Materialisation,
    RunQuery,
    ScheduleQuery,
    Store,
)
from crony.testing import factories
from crony.testing.clock import START

Answer = TypeVar("Answer")

TENANT = "default"
LEASE_TTL = timedelta(seconds=60)
AHEAD = timedelta(seconds=5)

_numbers = st.integers(min_value=0, max_value=30)
_limits = st.integers(min_value=0, max_value=3)
_queues = st.sampled_from(["default", "slow"])


class Comparison(RuleBasedStateMachine):
    """Histories of a few schedules and workers; ``stores`` makes the pair."""

    #: Set by the test: returns two empty, open stores.
    stores: Callable[[], tuple[Store, Store]]

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = type(self).stores()
        self.now = START
        self.count = 0
        self.workers: list[str] = []
        #: Schedules and runs that ever were, dead ones included.
        self.schedules: list[str] = []
        self.runs: list[str] = []
        self.leased: list[tuple[str, Holding]] = []
        self.polls: dict[str, tuple[str, int]] = {}

    def teardown(self) -> None:
        self.first.close()
        self.second.close()

    def both(self, verb: Callable[[Store], Answer]) -> Answer | None:
        """Do the same in both stores; return what both answered."""
        answers = [_outcome(verb, store) for store in (self.first, self.second)]
        assert answers[0] == answers[1]
        answer, refusal = answers[0]
        return answer if refusal is None else None

    def identity(self, prefix: str) -> str:
        """Return a new id, the same in each replay."""
        self.count += 1
        return ids.timed(prefix, START, entropy=self.count.to_bytes(ids.ENTROPY, "big"))

    def schedule(self, number: int) -> Schedule | None:
        """Return one of the schedules that exist."""
        page = self.first.schedules.page(TENANT, ScheduleQuery(), limit=99, after=None)
        return page.items[number % len(page.items)] if page.items else None

    def occurrence(self, schedule: Schedule, number: int, **changes: object) -> Run:
        """Return the run of the occurrence so many minutes after the start."""
        at = START + timedelta(seconds=10 * number)
        run = factories.make_run(schedule, scheduled_for=at, **changes)
        if run.id not in self.runs:
            self.runs.append(run.id)
        return run

    @initialize()
    def begin(self) -> None:
        self.add_worker("host-a", queues=["default"], level="full", labelled=True)
        self.add_worker(
            "host-b", queues=["default", "slow"], level="none", labelled=False
        )
        # Something to do from the start: histories are short.
        for number, (name, limit) in enumerate([("a", 1), (None, 2), ("b", 3)]):
            self.create(name, limit, "default", picky=False, priority=number % 2)
            for step in (1, 3):
                self.materialise(
                    number, step, 1, RunState.PENDING, catch_up=False, ends=1
                )
        self.lease(0, 3, fresh=1, again=1)

    @rule(
        name=st.sampled_from(["host-a", "host-b", "host-c"]),
        queues=st.lists(_queues, min_size=1, unique=True),
        level=st.sampled_from(["none", "namespaces", "full"]),
        labelled=st.booleans(),
    )
    def add_worker(
        self,
        name: str,
        queues: list[str],
        level: str,
        labelled: bool,  # noqa: FBT001  # hypothesis gives it by name
    ) -> None:
        worker = factories.make_worker(
            id=self.identity(ids.WORKER),
            name=name,
            queues=tuple(queues),
            sandbox_level=level,
            labels={"gpu": "yes"} if labelled else {},
            seen_at=self.now,
        )
        key = factories.make_key(id=self.identity(ids.KEY), role="worker")
        stored = self.both(
            lambda s: s.workers.register(worker, key, quota=3, now=self.now)
        )
        if stored is not None and stored.id not in self.workers:
            self.workers.append(stored.id)

    @rule(worker=_numbers)
    def drain(self, worker: int) -> None:
        name = self.workers[worker % len(self.workers)]
        self.both(lambda s: s.workers.drain(TENANT, name))

    @rule(worker=_numbers, really=st.integers(0, 3))
    def delete_worker(self, worker: int, really: int) -> None:
        name = self.workers[worker % len(self.workers)]
        if not really:
            self.both(lambda s: s.workers.delete(TENANT, name))

    @rule(
        name=st.sampled_from([None, "a", "b"]),
        limit=_limits,
        queue=_queues,
        picky=st.booleans(),
        priority=st.integers(0, 1),
    )
    def create(
        self,
        name: str | None,
        limit: int,
        queue: str,
        picky: bool,  # noqa: FBT001
        priority: int,
    ) -> None:
        schedule = factories.make_schedule(
            id=self.identity(ids.SCHEDULE),
            name=name,
            queue=queue,
            requires={"gpu": "yes"} if picky else {},
            policy=PolicySettings(
                priority=priority,
                sandbox=SandboxSettings(level="none" if priority else None),
            ),
            cursor=self.now,
        )
        if self.both(lambda s: s.schedules.create(schedule, limit=limit, quota=6)):
            self.schedules.append(schedule.id)

    @rule(
        schedule=_numbers,
        step=st.integers(0, 3),
        stale=st.integers(0, 5),
        state=st.sampled_from([RunState.PENDING] * 4 + [RunState.MISSED]),
        catch_up=st.booleans(),
        ends=st.integers(0, 9),
    )
    def materialise(
        self,
        schedule: int,
        step: int,
        stale: int,
        state: RunState,
        catch_up: bool,  # noqa: FBT001
        ends: int,
    ) -> None:
        found = self.schedule(schedule)
        if found is None:
            return
        cursor = found.cursor or self.now
        number = (cursor - START) // timedelta(seconds=10)
        runs = [
            self.occurrence(found, number + n, state=state, catch_up=catch_up)
            for n in range(step)
        ]
        item = Materialisation(
            schedule=found.id,
            tenant=TENANT,
            revision=found.revision,
            cursor=cursor if stale else cursor + timedelta(seconds=1),
            next_cursor=START + timedelta(seconds=10 * (number + step + 1))
            if ends
            else None,
            runs=tuple(runs),
        )
        # The second of the same is one too many.
        self.both(lambda s: s.schedules.materialise([item, item], now=self.now))

    @rule(
        schedule=_numbers,
        limit=_limits,
        settled=_numbers,
        name=st.sampled_from([None, "a", "b"]),
        queue=_queues,
        stale=st.integers(0, 5),
    )
    def edit(
        self,
        schedule: int,
        limit: int,
        settled: int,
        name: str | None,
        queue: str,
        stale: int,
    ) -> None:
        found = self.schedule(schedule)
        if found is None:
            return
        runs = [self.occurrence(found, settled)]
        changed = replace(
            found,
            revision=found.revision + 1,
            definition=replace(found.definition, name=name, queue=queue),
            state=ScheduleState.ACTIVE,
            cursor=self.now,
            updated_at=self.now,
        )
        expected = found if stale else replace(found, revision=found.revision - 1)
        self.both(
            lambda s: s.schedules.update(
                changed,
                limit=limit,
                expected=expected,
                settled=[run for run in runs if run.scheduled_for <= self.now],
                now=self.now,
            )
        )

    @rule(
        schedule=_numbers,
        settled=_numbers,
        really=st.integers(0, 3),
        cancel_running=st.booleans(),
    )
    def delete(
        self,
        schedule: int,
        settled: int,
        really: int,
        cancel_running: bool,  # noqa: FBT001
    ) -> None:
        found = self.schedule(schedule)
        if found is None or really:
            return
        runs = [self.occurrence(found, settled)]
        self.both(
            lambda s: s.schedules.delete(
                found, settled=runs, cancel_running=cancel_running, now=self.now
            )
        )

    @rule(schedule=_numbers, late=st.integers(-20, 20), priority=st.integers(0, 2))
    def insert(self, schedule: int, late: int, priority: int) -> None:
        if not self.schedules:
            return
        owner = self.schedules[schedule % len(self.schedules)]
        found = self.first.schedules.find(TENANT, owner)
        at = self.now - timedelta(seconds=late)
        self.count += 1
        run = factories.make_run(
            found or factories.make_schedule(id=owner),
            id=ids.run_id(owner, "manual", at, str(self.count)),
            origin=Origin.MANUAL,
            scheduled_for=at,
            priority=priority,
            created_at=self.now,
        )
        self.runs.append(run.id)
        self.both(lambda s: s.runs.insert(run, quota=8))

    @rule(run=_numbers)
    def cancel(self, run: int) -> None:
        if self.runs:
            name = self.runs[run % len(self.runs)]
            self.both(lambda s: s.runs.cancel(TENANT, name, now=self.now))

    def poll(self, worker: int, fresh: int, again: int) -> None:
        name = self.workers[worker % len(self.workers)]
        session, sequence = self.polls.get(name, ("s0", 0))
        if not fresh:
            session, sequence = f"s{self.count % 3}", sequence + 1
        poll = (session, sequence + (again > 0))
        begun = self.both(
            lambda s: s.leases.begin(
                name, session=poll[0], sequence=poll[1], now=self.now
            )
        )
        if begun is not None:
            self.polls[name] = poll

    @rule(
        worker=_numbers,
        slots=st.integers(1, 4),
        fresh=st.integers(0, 9),
        again=st.integers(0, 9),
    )
    def lease(self, worker: int, slots: int, fresh: int, again: int) -> None:
        self.poll(worker, fresh, again)
        name = self.workers[worker % len(self.workers)]
        session, sequence = self.polls.get(name, ("none", 0))
        offers = self.both(
            lambda s: s.leases.lease(
                name,
                session=session,
                sequence=sequence,
                slots=slots,
                horizon=self.now + AHEAD,
                now=self.now,
                lease_ttl=LEASE_TTL,
            )
        )
        for offer in offers or ():
            self.leased.append((name, Holding(offer.run.id, offer.token)))

    def holding(self, number: int, width: int) -> tuple[str, list[Holding]]:
        """Return a worker and some of what it was given, new or old."""
        if not self.leased:
            return self.workers[0], []
        worker, _ = self.leased[-1 - number % len(self.leased)]
        mine = [item for owner, item in self.leased if owner == worker]
        return worker, mine[-width:]

    @rule(number=_numbers, width=st.integers(1, 4))
    def confirm(self, number: int, width: int) -> None:
        worker, items = self.holding(number, width)
        self.both(
            lambda s: s.leases.confirm(worker, items, now=self.now, lease_ttl=LEASE_TTL)
        )

    @rule(worker=_numbers, number=_numbers)
    def confirm_of_another(self, worker: int, number: int) -> None:
        _, items = self.holding(number, 1)
        name = self.workers[worker % len(self.workers)]
        self.both(
            lambda s: s.leases.confirm(name, items, now=self.now, lease_ttl=LEASE_TTL)
        )

    @rule(
        number=_numbers,
        width=st.integers(1, 3),
        state=st.sampled_from(
            [
                AttemptState.SUCCEEDED,
                AttemptState.FAILED,
                AttemptState.TIMED_OUT,
                AttemptState.CANCELLED,
                AttemptState.PREEMPTED,
            ]
        ),
        retry=st.sampled_from([None, 0, 7, 30]),
        started=st.booleans(),
    )
    def report(
        self,
        number: int,
        width: int,
        state: AttemptState,
        retry: int | None,
        started: bool,  # noqa: FBT001
    ) -> None:
        worker, items = self.holding(number, width)
        if started:
            self.confirm(number, width)
        closings = [
            factories.make_closing(
                item.run,
                item.token,
                state=state,
                reason=None if started else Reason.START_FAILED,
                result={"value": number},
                finished_at=self.now - timedelta(microseconds=1500),
                retry_at=None if retry is None else self.now + timedelta(seconds=retry),
            )
            for item in items
        ]
        self.both(
            lambda s: s.leases.report(worker, closings * 2, now=self.now),
        )

    @rule(
        worker=st.integers(0, 1),
        slots=st.integers(1, 4),
        state=st.sampled_from([AttemptState.SUCCEEDED, AttemptState.FAILED, None]),
        retry=st.sampled_from([None, 7]),
    )
    def work(
        self, worker: int, slots: int, state: AttemptState | None, retry: int | None
    ) -> None:
        """Do what a worker does all day, so that histories get somewhere."""
        self.let_time_pass(10)
        self.lease(worker, slots, fresh=1, again=1)
        self.confirm(0, slots)
        if state is not None:
            self.report(0, 1, state, retry, started=True)

    @rule(number=_numbers, width=st.integers(1, 4), known=st.integers(0, 5))
    def renew(self, number: int, width: int, known: int) -> None:
        worker, items = self.holding(number, width)
        session, _ = self.polls.get(worker, ("none", 0))
        self.both(
            lambda s: s.leases.renew(
                worker,
                session=session if known else "other",
                holding=items,
                now=self.now,
                lease_ttl=LEASE_TTL,
            )
        )

    @rule(number=_numbers, width=st.integers(0, 2))
    def reclaim(self, number: int, width: int) -> None:
        worker, items = self.holding(number, 4)
        session, sequence = self.polls.get(worker, ("none", 0))
        self.both(
            lambda s: s.leases.reclaim(
                worker,
                session=session,
                sequence=sequence,
                holding=items[:width],
                now=self.now,
            )
        )

    @rule(limit=st.integers(1, 3), include_leases=st.booleans())
    def expire(
        self,
        limit: int,
        include_leases: bool,  # noqa: FBT001
    ) -> None:
        self.both(
            lambda s: s.leases.expire(
                now=self.now, limit=limit, include_leases=include_leases
            )
        )

    @rule(limit=st.integers(1, 3))
    def promote(self, limit: int) -> None:
        self.both(lambda s: s.leases.promote(horizon=self.now + AHEAD, limit=limit))

    @rule(number=_numbers, percent=st.sampled_from([None, 12.5]))
    def progress(self, number: int, percent: float | None) -> None:
        worker, items = self.holding(number, 1)
        for item in items:
            entry = factories.make_progress(item.run, percent=percent, at=self.now)
            self.both(partial(self._progress, worker, item, entry))

    @rule(
        number=_numbers,
        stream=st.sampled_from(["stdout", "stderr"]),
        offset=st.integers(0, 12),
        size=st.integers(0, 12),
    )
    def log(self, number: int, stream: str, offset: int, size: int) -> None:
        worker, items = self.holding(number, 1)
        chunk = factories.make_chunk(b"x" * size, stream=stream, offset=offset)
        for item in items:
            self.both(partial(self._append, worker, item, chunk))

    def _progress(
        self, worker: str, item: Holding, entry: Progress, store: Store
    ) -> Standing:
        return store.leases.progress(worker, item.token, entry, now=self.now)

    def _append(
        self, worker: str, item: Holding, chunk: LogChunk, store: Store
    ) -> Standing:
        return store.logs.append(
            worker, item.run, item.token, [chunk], head=5, bound=12
        )

    @rule(seconds=st.sampled_from([0.0015, 5, 10, 10, 20, 61]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def all_that_can_be_seen_is_the_same(self) -> None:
        for look in (self.see_schedules, self.see_runs, self.see_numbers):
            self.both(look)

    def see_schedules(self, store: Store) -> list[object]:
        names = sorted(self.schedules)
        return [
            store.schedules.due(self.now, limit=3),
            store.schedules.earliest(),
            *(
                store.schedules.page(TENANT, ScheduleQuery(sort=sort), limit=2, after=a)
                for sort in ("name", "next_run_at", "created_at")
                for a in (None,)
            ),
            store.schedules.page(
                TENANT, ScheduleQuery(failing=True), limit=9, after=None
            ),
            {k: list(v) for k, v in store.runs.recent(names, limit=3).items()},
            {k: list(v) for k, v in store.runs.errors(names, limit=3).items()},
            {k: list(v) for k, v in store.runs.progress(names, limit=3).items()},
        ]

    def see_runs(self, store: Store) -> list[object]:
        return [
            [store.runs.find(TENANT, run) for run in self.runs],
            [store.logs.read(run, attempt=1, after=0) for run in self.runs],
            store.runs.page(TENANT, RunQuery(), limit=5, after=None),
            store.runs.page(TENANT, RunQuery(states=HELD), limit=5, after=None),
            store.workers.running(self.workers),
            [
                store.runs.page(TENANT, RunQuery(worker=name), limit=5, after=None)
                for name in self.workers
            ],
        ]

    def see_numbers(self, store: Store) -> list[object]:
        return [
            store.leases.earliest(),
            store.stats(TENANT, now=self.now),
            store.stats(None, now=self.now),
            store.tenants.usage(TENANT),
            store.workers.page(TENANT, limit=9, after=None),
        ]

    @invariant()
    def no_schedule_has_more_in_hand_than_it_ever_allowed(self) -> None:
        page = self.first.runs.page(
            TENANT, RunQuery(states=HELD), limit=999, after=None
        )
        by_schedule: dict[str, int] = {}
        for run in page.items:
            by_schedule[run.schedule] = by_schedule.get(run.schedule, 0) + 1
        assert all(count <= 3 for count in by_schedule.values())


def _outcome(
    verb: Callable[[Store], Answer], store: Store
) -> tuple[Answer | None, str | None]:
    """Return what a verb answered, or how it refused."""
    try:
        return verb(store), None
    except errors.CronyError as refusal:
        return None, f"{type(refusal).__name__}: {refusal}"
