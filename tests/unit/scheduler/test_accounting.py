"""Every occurrence is accounted for exactly once, whatever people do meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from crony.model.lease import Offer
from crony.model.run import Run
from crony.model.schedule import Definition
from crony.model.state import Origin, RunState
from crony.model.trigger import Cron, Every, Trigger
from crony.scheduler.occurrences import calendar
from crony.scheduler.timing import Timing
from crony.storage.memory.store import MemoryStore
from tests.unit.scheduler.stage import SECOND, TENANT, Stage, policy

TRIGGERS: list[Trigger] = [
    Every(timedelta(seconds=45)),
    Every(timedelta(minutes=7)),
    Every("hour"),
    Cron("*/5 * * * *"),
    Cron("30 2,12-14 * * *", "Europe/Berlin"),
]
MOST = st.sampled_from([None, None, 1, 2, 3, 40])
JITTER = st.sampled_from([timedelta(), timedelta(seconds=40)])

STARTED = {RunState.RUNNING, RunState.STOPPING, RunState.SUCCEEDED}


@dataclass
class Era:
    """From when on which definition held; up to when it was settled."""

    definition: Definition
    since: datetime
    #: Its group is.
    held: bool = False
    until: datetime | None = None
    #: Had started ahead of the edit that ended the era: they count all the same.
    started: frozenset[datetime] = frozenset()

    @property
    def paused(self) -> bool:
        return self.definition.paused or self.held


class Accounting(RuleBasedStateMachine):
    """Does everything to one schedule, and keeps its own books."""

    @initialize(
        trigger=st.sampled_from(TRIGGERS),
        most=MOST,
        jitter=JITTER,
        paused=st.booleans(),
    )
    def begin(
        self, *, trigger: Trigger, most: int | None, jitter: timedelta, paused: bool
    ) -> None:
        store = MemoryStore()
        store.migrate()
        store.open()
        # A long look-ahead, so that edits meet runs that are ahead.
        self.stage = Stage(store, timing=Timing(lease_ahead=timedelta(minutes=2)))
        self.stage.profile("books")
        self.stage.group("books")
        self.worker = self.stage.worker()
        self.schedule = self.stage.add(
            name="books",
            trigger=trigger,
            max_runs=most,
            jitter=jitter,
            paused=paused,
            group="books",
            profile="books",
            policy=policy(max_concurrent=3, max_lost=1000),
        )
        before = self.stage.clock.now() - timedelta(milliseconds=1)
        self.eras = [Era(self.schedule.definition, before)]
        self.offers: list[Offer] = []
        self.deleted = False

    # Time.

    @rule(span=st.integers(1, 90))
    def time_passes_with_ticks(self, span: int) -> None:
        self.stage.tick(SECOND * span)

    @rule(span=st.integers(1, 40 * 60))
    def time_passes_with_nothing_ticking(self, span: int) -> None:
        self.stage.advance(SECOND * span)

    @rule(hours=st.integers(23, 30))
    def the_service_is_down_for_a_day(self, hours: int) -> None:
        self.stage.advance(timedelta(hours=hours))

    @rule()
    def the_ticker_works(self) -> None:
        self.stage.tick()

    @rule(span=st.integers(1, 3600))
    def the_clock_is_set_back_and_catches_up(self, span: int) -> None:
        here = self.stage.clock.now()
        self.stage.clock.set(here - SECOND * span)
        self.stage.tick()
        self.stage.clock.set(here)

    # People.

    def _changes(self, **members: object) -> None:
        now = self._instant()
        new = self.stage.edit(self.schedule, **members).definition
        if new != self.eras[-1].definition:
            self._begins(Era(new, now, self.eras[-1].held))

    def _instant(self) -> datetime:
        # No edit reaches behind the one before it, nor into a stretch that is
        # recorded, whatever the clock says.
        last = self.stage.found(self.schedule).updated_at
        stretches = [
            run.range_until
            for run in self.stage.runs(self.schedule, RunState.SKIPPED, RunState.MISSED)
            if run.range_until is not None
        ]
        return max(self.stage.clock.now(), last, *stretches)

    def _begins(self, era: Era) -> None:
        self._ends(era.since)
        self.eras.append(era)
        self._forget_what_was_withdrawn()

    def _ends(self, instant: datetime) -> None:
        self.eras[-1].until = instant
        self.eras[-1].started = frozenset(
            run.scheduled_for
            for run in self.stage.runs(self.schedule, *STARTED, since=instant)
            if run.origin is Origin.SCHEDULE and run.scheduled_for > instant
        )

    def _forget_what_was_withdrawn(self) -> None:
        """Started ahead, and lost since: its occurrence is due anew, or not at all."""
        withdrawn = {
            run.scheduled_for
            for run in self.stage.runs(self.schedule, RunState.WITHDRAWN)
        }
        for era in self.eras:
            era.started -= withdrawn

    @precondition(lambda self: not self.deleted)
    @rule(trigger=st.sampled_from(TRIGGERS), most=MOST)
    def someone_changes_when(self, trigger: Trigger, most: int | None) -> None:
        self._changes(trigger=trigger, max_runs=most)

    @precondition(lambda self: not self.deleted)
    @rule(text=st.sampled_from(["", "a", "b"]))
    def someone_changes_the_description(self, text: str) -> None:
        self._changes(description=text)

    @precondition(lambda self: not self.deleted)
    @rule(paused=st.booleans())
    def someone_pauses_or_resumes(self, *, paused: bool) -> None:
        self._changes(paused=paused)

    @precondition(lambda self: not self.deleted)
    @rule(span=st.integers(1, 3600), paused=st.booleans())
    def someone_pauses_or_resumes_on_a_clock_set_back(
        self, *, span: int, paused: bool
    ) -> None:
        here = self.stage.clock.now()
        self.stage.clock.set(here - SECOND * span)
        self._changes(paused=paused)
        self.stage.clock.set(here)

    @precondition(lambda self: not self.deleted)
    @rule(misfire=st.sampled_from(["all", "latest", "none"]))
    def someone_resumes_and_catches_up(self, *, misfire: str) -> None:
        now = self._instant()
        service = self.stage.service.schedules
        new = service.resume(TENANT, self.schedule.id, misfire=misfire).definition
        if new != self.eras[-1].definition:
            self._begins(Era(new, now, self.eras[-1].held))

    @precondition(lambda self: not self.deleted)
    @rule(misfire=st.sampled_from([None, "all", "latest", "none"]))
    def someone_pauses_or_resumes_the_group(self, *, misfire: str | None) -> None:
        now = self._instant()
        held = not self.eras[-1].held
        if held:
            self.stage.service.groups.pause(TENANT, "books")
        else:
            self.stage.service.groups.resume(TENANT, "books", misfire=misfire)
        assert self.stage.found(self.schedule).held is held
        self._begins(Era(self.eras[-1].definition, now, held))

    @precondition(lambda self: not self.deleted)
    @rule(misfire=st.sampled_from(["all", "latest", "none"]), hours=st.integers(1, 3))
    def someone_changes_the_profile(self, *, misfire: str, hours: int) -> None:
        self.stage.profile(
            "books",
            misfire=misfire,
            misfire_window=timedelta(hours=hours),
            priority=hours,
        )
        self._forget_what_was_withdrawn()
        ahead = self.stage.runs(self.schedule, RunState.PENDING)
        assert all(
            run.priority == hours
            for run in ahead
            if run.origin is Origin.SCHEDULE
            and run.attempt == 0
            and run.scheduled_for > self.stage.clock.now()
        )

    @precondition(lambda self: not self.deleted)
    @rule()
    def someone_runs_it_by_hand(self) -> None:
        self.stage.service.runs.trigger(TENANT, self.schedule.id)

    @precondition(lambda self: not self.deleted and len(self.eras) > 6)
    @rule()
    def someone_deletes_it(self) -> None:
        now = self._instant()
        self.stage.delete(self.schedule)
        self._ends(now)
        self.deleted = True

    # The worker.

    @rule(slots=st.integers(1, 4))
    def the_worker_starts_what_it_gets(self, slots: int) -> None:
        self.offers = self.stage.start(self.worker, slots=slots)

    @rule()
    def the_worker_reports(self) -> None:
        for offer in self.offers:
            self.stage.end(self.worker, offer)
        self.offers = []

    # The books.

    def _expected(self) -> tuple[Counter[datetime], set[datetime]]:
        """Return the instants to be accounted for, and those of a pause."""
        expected: Counter[datetime] = Counter()
        paused: set[datetime] = set()
        now = self.stage.clock.now()
        for era in self.eras:
            # What a pause skips is recorded when it ends.
            open_pause = era.until is None and era.paused
            until = era.since if open_pause else era.until or now
            due = calendar(
                era.definition,
                identity=self.schedule.identity,
                created_at=self.schedule.created_at,
            ).between(era.since, until, limit=100_000)
            most = era.definition.max_runs
            for instant in due:
                if expected[instant]:
                    continue
                if most is not None and expected.total() >= most:
                    break
                expected[instant] = 1
                if era.paused:
                    paused.add(instant)
            for instant in era.started:
                expected[instant] = 1
        return +expected, paused

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        self.stage.tick()
        now = self.stage.clock.now()
        expected, paused = self._expected()
        recorded: Counter[datetime] = Counter()
        for run in self.stage.runs(self.schedule):
            if run.origin is not Origin.SCHEDULE or run.state is RunState.WITHDRAWN:
                continue
            instants = self._covered(run, expected)
            assert len(instants) == run.range_count
            recorded.update(instants)
            if run.state is RunState.SKIPPED:
                assert set(instants) <= paused
        past = {i: n for i, n in expected.items() if i <= now}
        struck = self._struck_ahead(now)
        assert past == {
            i: n for i, n in recorded.items() if i <= now and i not in struck
        }

    def _covered(self, run: Run, expected: Counter[datetime]) -> list[datetime]:
        if run.range_until is None:
            return [run.scheduled_for]
        return [i for i in expected if run.scheduled_for <= i <= run.range_until]

    def _struck_ahead(self, now: datetime) -> set[datetime]:
        """Return what a deletion cancelled before it was due."""
        end = self.eras[-1].until
        return (
            set()
            if not self.deleted or end is None
            else {
                run.scheduled_for
                for run in self.stage.runs(self.schedule, RunState.CANCELLED)
                if run.scheduled_for > end
                # What had started ahead of an edit before counts all the same.
                and not any(run.scheduled_for in era.started for era in self.eras)
            }
        )


Accounting.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAccounting = Accounting.TestCase
