"""Two stores side by side: the same verbs, the same answers, the same state.

Hypothesis makes up histories; after every few steps everything that can be seen of one
store must equal what can be seen of the other, and what each step answers always.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from crony.model.lease import Holding, Standing
from crony.model.run import LogChunk, Progress
from crony.model.state import AttemptState, Reason, RunState
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.storage.pair import AHEAD, LEASE_TTL, NUMBERS, TENANT
from crony.testing.storage.people import POLICIES
from crony.testing.storage.policies import Policies


class Comparison(Policies):
    """Histories of a few schedules and workers."""

    @initialize(
        policies=st.lists(st.sampled_from(list(POLICIES)), min_size=3, max_size=3),
        places=st.sampled_from([None, None, 1, 2]),
    )
    def begin(self, policies: list[str], places: int | None) -> None:
        self.add_worker("host-a", queues=["default"], level="full", labelled=True)
        self.add_worker(
            "host-b", queues=["default", "slow"], level="none", labelled=False
        )
        self.put_group("etl", places, 2, None, stale=1)
        self.put_group("etl", places, 2, None, stale=1)
        # Something to do from the start: histories are short.
        for number, (name, limit) in enumerate([("a", 1), (None, 2), ("b", 3)]):
            self.create(
                name,
                limit,
                "default",
                picky=False,
                priority=number % 2,
                group="etl" if number else "default",
                policy=policies[number],
                hooked=True,
                profile=None,
                lagging=1,
            )
            for step in (1, 3):
                self.materialise(
                    number, step, 1, RunState.PENDING, catch_up=False, ends=1
                )
        self.lease(0, 3, fresh=1, again=1)

    def poll(self, worker: int, fresh: int, again: int) -> None:
        name = self.workers[worker % len(self.workers)]
        session, sequence = self.polls.get(name, ("s0", 0))
        if not fresh:
            session, sequence = f"s{self.count % 3}", sequence + 1
        poll = (session, sequence + (again > 0))
        begun = self.both(
            lambda s: s.leases.begin(
                TENANT, name, session=poll[0], sequence=poll[1], now=self.now
            )
        )
        if begun is not None:
            self.polls[name] = poll

    @rule(
        worker=NUMBERS,
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
                TENANT,
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

    @rule(number=NUMBERS, width=st.integers(1, 4))
    def confirm(self, number: int, width: int) -> None:
        worker, items = self.holding(number, width)
        self.both(
            lambda s: s.leases.confirm(
                TENANT, worker, items, now=self.now, lease_ttl=LEASE_TTL
            )
        )

    @rule(worker=NUMBERS, number=NUMBERS)
    def confirm_of_another(self, worker: int, number: int) -> None:
        _, items = self.holding(number, 1)
        name = self.workers[worker % len(self.workers)]
        self.both(
            lambda s: s.leases.confirm(
                TENANT, name, items, now=self.now, lease_ttl=LEASE_TTL
            )
        )

    @rule(
        number=NUMBERS,
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
        says=st.sampled_from([None, "fine", '{"percent": 7}']),
    )
    def report(
        self,
        number: int,
        width: int,
        state: AttemptState,
        retry: int | None,
        started: bool,  # noqa: FBT001
        says: str | None = None,
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
                says=says,
                finished_at=self.now - timedelta(microseconds=1500),
                retry_at=None if retry is None else self.now + timedelta(seconds=retry),
            )
            for item in items
        ]
        self.both(
            lambda s: s.leases.report(TENANT, worker, closings * 2, now=self.now),
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
        self.tick(10)
        self.lease(worker, slots, fresh=1, again=1)
        self.confirm(0, slots)
        if state is not None:
            self.report(0, 1, state, retry, started=True)

    @rule(state=st.sampled_from([AttemptState.SUCCEEDED, AttemptState.FAILED]))
    def toil(self, state: AttemptState) -> None:
        """Let both workers work, and time pass between."""
        for worker in (0, 1):
            self.work(worker, 2, state, None)
        self.work(0, 2, None, None)

    @rule(number=NUMBERS, width=st.integers(1, 4), known=st.integers(0, 5))
    def renew(self, number: int, width: int, known: int) -> None:
        worker, items = self.holding(number, width)
        session, _ = self.polls.get(worker, ("none", 0))
        self.both(
            lambda s: s.leases.renew(
                TENANT,
                worker,
                session=session if known else "other",
                holding=items,
                now=self.now,
                lease_ttl=LEASE_TTL,
            )
        )

    @rule(number=NUMBERS, width=st.integers(0, 2))
    def reclaim(self, number: int, width: int) -> None:
        worker, items = self.holding(number, 4)
        session, sequence = self.polls.get(worker, ("none", 0))
        self.both(
            lambda s: s.leases.reclaim(
                TENANT,
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

    @rule(number=NUMBERS, percent=st.sampled_from([None, 12.5]))
    def progress(self, number: int, percent: float | None) -> None:
        worker, items = self.holding(number, 1)
        for item in items:
            entry = factories.make_progress(item.run, percent=percent, at=self.now)
            self.both(partial(self._progress, worker, item, entry))

    @rule(
        number=NUMBERS,
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
        return store.leases.progress(TENANT, worker, item.token, entry)

    def _append(
        self, worker: str, item: Holding, chunk: LogChunk, store: Store
    ) -> Standing:
        return store.logs.append(
            TENANT, worker, item.run, item.token, [chunk], head=5, bound=12
        )
