"""The audit finds what is missing, and nothing else."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from crony import errors
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, RunState
from crony.model.trigger import At, Cron, Every
from crony.scheduler.audit import Findings, Gap
from crony.scheduler.timing import Timing
from crony.storage.memory.store import MemoryStore
from tests.unit.scheduler.stage import (
    HOUR,
    MINUTE,
    SECOND,
    TENANT,
    Stage,
    at,
    policy,
)
from tests.unit.scheduler.test_accounting import Accounting

FAR = timedelta(days=400)


def lose(store: MemoryStore, *runs: Run) -> None:
    """Remove records behind everybody's back."""
    for run in runs:
        del store._memory.runs[run.id]


def audited(stage: Stage, *, work: int = 7, limit: int = 2) -> Findings:
    """Audit all of the tenant's history, in small pieces."""
    whole = Findings()
    now = stage.clock.now()
    while True:
        found = stage.service.audit.span(
            "default",
            since=now - FAR,
            until=now + timedelta(milliseconds=1),
            limit=limit,
            after=whole.next,
            work=work,
        )
        whole.checked += found.checked
        whole.schedules += found.schedules
        whole.gaps += found.gaps
        whole.unverifiable += found.unverifiable
        whole.next = found.next
        if found.next is None:
            return whole


@pytest.fixture
def memory() -> MemoryStore:
    """A store out of which a record can be taken."""
    store = MemoryStore()
    store.migrate()
    store.open()
    return store


def run_at(stage: Stage, schedule: Schedule, instant: datetime) -> Run:
    """Return the record of an occurrence."""
    (found,) = [r for r in stage.runs(schedule) if r.scheduled_for == instant]
    return found


def test_a_lost_record_is_a_gap_of_its_revision(memory: MemoryStore) -> None:
    stage = Stage(memory)
    schedule = stage.add(trigger=Every(MINUTE * 10))
    stage.live(MINUTE * 15, step=MINUTE)
    stage.edit(schedule, description="changed")
    stage.live(MINUTE * 15, step=MINUTE)
    lose(memory, run_at(stage, schedule, at("12:20")))
    found = audited(stage)
    assert found.checked == 4
    assert found.schedules == 1
    (gap,) = found.gaps
    assert gap == Gap(
        schedule=schedule.id, at=at("12:20"), until=None, count=1, revision=2
    )


def test_a_lost_stretch_is_one_gap(memory: MemoryStore) -> None:
    stage = Stage(memory)
    schedule = stage.add(policy=policy(misfire="none"))
    stage.live(SECOND)
    stage.advance(HOUR)
    stage.tick()
    lose(memory, run_at(stage, schedule, at("12:01")))
    (gap,) = audited(stage).gaps
    assert (gap.at, gap.until, gap.count) == (at("12:01"), at("13:00"), 60)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_record_is_missed_also_where_max_runs_ended_the_schedule(
    memory: MemoryStore, lost: int
) -> None:
    stage = Stage(memory)
    schedule = stage.add(max_runs=3)
    stage.live(MINUTE * 5, step=MINUTE)
    assert audited(stage).gaps == []
    run = stage.runs(schedule)[lost]
    lose(memory, run)
    (gap,) = audited(stage).gaps
    assert gap.at == run.scheduled_for


def test_an_instant_that_had_passed_when_asked_for_is_missed_too(
    memory: MemoryStore,
) -> None:
    stage = Stage(memory)
    schedule = stage.add(trigger=At(at("11:00")))
    stage.tick(SECOND)
    assert audited(stage).checked == 1
    lose(memory, stage.run(schedule))
    (gap,) = audited(stage).gaps
    assert gap.at == at("11:00")


def test_what_is_not_settled_is_no_gap(memory: MemoryStore) -> None:
    stage = Stage(memory)
    stage.add(trigger=Every(MINUTE))
    stage.add(trigger=Every(MINUTE), paused=True)
    stage.tick(SECOND)
    stage.advance(HOUR)
    found = audited(stage)
    assert found.gaps == []
    assert found.unverifiable == []
    assert (found.schedules, found.checked) == (2, 1)


def test_one_schedule_can_be_audited_alone(memory: MemoryStore) -> None:
    stage = Stage(memory)
    one, two = stage.add(name="one"), stage.add(name="two")
    stage.live(MINUTE * 2, step=MINUTE)
    lose(memory, run_at(stage, one, at("12:01")))
    audit = stage.service.audit
    assert audit.span(TENANT, schedule="two", limit=10).gaps == []
    (gap,) = audit.span(TENANT, schedule="one", limit=10).gaps
    assert gap.schedule == one.id != two.id
    stage.delete(two)
    assert audit.span(TENANT, schedule=two.id, limit=10).gaps == []
    with pytest.raises(errors.NotFound):
        audit.span(TENANT, schedule="three", limit=10)


def test_small_pieces_find_what_one_look_finds(memory: MemoryStore) -> None:
    stage = Stage(memory)
    schedules = [stage.add() for _ in range(5)]
    stage.live(MINUTE * 8, step=MINUTE)
    for place, schedule in enumerate(schedules):
        lose(memory, stage.runs(schedule)[place])
    whole = audited(stage, work=10_000, limit=100)
    pieces = audited(stage, work=1, limit=1)
    assert pieces == whole
    assert len(whole.gaps) == 5


@pytest.mark.parametrize("text", ["a b c", "a b", " b 9" + "9" * 30, "a b -1"])
def test_a_place_that_makes_no_sense_is_refused(memory: MemoryStore, text: str) -> None:
    stage = Stage(memory)
    stage.add()
    with pytest.raises(errors.InvalidParameter):
        stage.service.audit.span(TENANT, limit=10, after=(1, text))


def test_a_schedule_that_goes_between_two_pieces_holds_nothing_up(
    memory: MemoryStore,
) -> None:
    stage = Stage(memory)
    schedules = [stage.add() for _ in range(3)]
    stage.live(MINUTE * 5, step=MINUTE)
    audit = stage.service.audit
    since = at("11:00")
    found = audit.span(TENANT, since=since, limit=10, work=2)
    assert found.next is not None
    stage.delete(schedules[0])
    rest = audit.span(TENANT, since=since, limit=10, after=found.next)
    assert (rest.gaps, rest.schedules, rest.next) == ([], 2, None)


def test_what_other_rules_of_a_zone_settled_is_told_apart(memory: MemoryStore) -> None:
    stage = Stage(memory)
    zoned = stage.add(trigger=Cron("*/10 * * * *", "Europe/Berlin"))
    plain = stage.add(trigger=Cron("*/10 * * * *"))
    stage.live(MINUTE * 25, step=MINUTE)
    for schedule in (zoned, plain):
        (version,) = memory._memory.versions[schedule.id]
        older = replace(version, rules="another release")
        memory._memory.versions[schedule.id] = [older]
        lose(memory, run_at(stage, schedule, at("12:10")))
    found = audited(stage, work=10_000)
    assert {gap.schedule for gap in found.gaps} == {plain.id}
    assert {(part.schedule, part.why) for part in found.unverifiable} == {
        (zoned.id, "rules")
    }


def test_edits_and_ticks_meanwhile_make_no_gap(memory: MemoryStore) -> None:
    stage = Stage(memory, timing=Timing(lease_ahead=MINUTE))
    schedule = stage.add(trigger=Every(SECOND * 5))
    done = threading.Event()

    def disturb() -> None:
        for number in range(150):
            stage.tick(SECOND * 3)
            trigger = Every(SECOND * (5 + number % 3))
            stage.edit(schedule, trigger=trigger, paused=number % 5 == 0)
        done.set()

    thread = threading.Thread(target=disturb)
    thread.start()
    looks = 0
    while not done.is_set() or not looks:
        assert audited(stage, work=10_000).gaps == []
        looks += 1
    thread.join()
    assert stage.found(schedule).revision > 100


class Audited(Accounting):
    """Does everything to one schedule, and audits it now and then."""

    @rule()
    def someone_audits(self) -> None:
        found = audited(self.stage)
        assert found.gaps == []
        assert found.unverifiable == []

    @rule(place=st.integers(0, 10_000))
    def a_record_is_lost_and_found_missing(self, place: int) -> None:
        now = self.stage.clock.now()
        records = [
            run
            for run in self.stage.runs(self.schedule)
            if run.origin is Origin.SCHEDULE
            and run.state is not RunState.WITHDRAWN
            and run.scheduled_for < now
        ]
        if not records or self.deleted:
            return
        store = self.stage.store
        assert isinstance(store, MemoryStore)
        run = records[place % len(records)]
        kept = store._memory.runs[run.id]
        lose(store, run)
        gaps = audited(self.stage).gaps
        store._memory.runs[run.id] = kept
        # What had started ahead of an edit is due under no version any more.
        (gap,) = gaps or [None]
        if gap is None:
            assert any(run.scheduled_for in era.started for era in self.eras)
            return
        assert gap.schedule == run.schedule
        assert (gap.at, gap.until) == (run.scheduled_for, run.range_until)
        assert gap.count == run.range_count


Audited.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAudited = Audited.TestCase
