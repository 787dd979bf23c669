"""The policy that holds is the strongest level's, and acts from the next run on."""

from __future__ import annotations

import pytest

from crony import errors
from crony.model.lease import Holding
from crony.model.policy import NO_LIMIT, RetentionSettings, RetriesSettings
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Reason, RunState
from crony.model.trigger import Cron, Every
from crony.scheduler.occurrences import calendar_of
from crony.scheduler.policies import Resolved
from crony.testing.factories import make_definition
from crony.triggers import Bounded
from tests.unit.scheduler.stage import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    TENANT,
    Stage,
    at,
    held,
    policy,
)

HALF = SECOND / 2


def _holds(stage: Stage, schedule: Schedule) -> Resolved:
    return stage.service.policies.of(TENANT, schedule.definition)


def _tenant(stage: Stage, **members: object) -> None:
    found = stage.service.tenants.find(TENANT)
    stage.service.tenants.put(TENANT, quotas=found.quotas, **members)  # type: ignore[arg-type]


def test_each_level_gives_way_to_the_stronger_ones(stage: Stage) -> None:
    stage.profile("all", priority=1, max_lost=1, grace=SECOND, max_concurrent=2)
    stage.profile("ours", priority=2, max_lost=2, grace=MINUTE)
    stage.profile("heavy", priority=3, max_lost=3)
    _tenant(stage, profile="all", retention=RetentionSettings(runs=7))
    stage.group("reports", profile="ours")
    schedule = stage.add(group="reports", profile="heavy", policy=policy(priority=4))
    found = _holds(stage, schedule)
    assert found.policy.priority == 4
    assert found.policy.max_lost == 3
    assert found.policy.grace == MINUTE
    assert found.policy.max_concurrent == 2
    assert found.policy.retention.runs == 7
    names = ("priority", "max_lost", "grace", "max_concurrent", "retention", "misfire")
    assert [found.sources[name] for name in names] == [
        "schedule",
        "profile",
        "group",
        "tenant",
        "tenant",
        "built-in",
    ]


def test_a_schedule_shows_where_its_policy_comes_from(stage: Stage) -> None:
    stage.profile("heavy", max_runtime=HOUR * 6)
    schedule = stage.add(profile="heavy")
    (view,) = stage.service.schedules.views([schedule])
    assert view.policy.max_runtime == HOUR * 6
    assert view.sources["max_runtime"] == "profile"


def test_a_profile_that_is_gone_counts_as_not_set(stage: Stage) -> None:
    definition = make_definition(profile="gone", group="gone")
    found = stage.service.policies.of(TENANT, definition)
    assert found.policy == stage.service.policies.of_tenant(TENANT)
    assert not found.group.paused


def test_a_group_or_profile_that_is_not_there_is_refused(stage: Stage) -> None:
    with pytest.raises(errors.InvalidBody) as refused:
        stage.add(group="none", profile="nor-this", trigger=Cron("0 0 31 2 *"))
    assert {fault.pointer for fault in refused.value.faults} == {
        "/group",
        "/profile",
        "/cron",
    }
    schedule = stage.add()
    with pytest.raises(errors.InvalidBody) as refused:
        stage.edit(schedule, group="none", profile="nor-this")
    assert {fault.pointer for fault in refused.value.faults} == {"/group", "/profile"}


def test_a_run_keeps_the_policy_it_was_made_under(stage: Stage) -> None:
    stage.profile("heavy", max_runtime=HOUR, deadline=MINUTE, priority=7)
    schedule = stage.add(profile="heavy", trigger=Every(HOUR), start_at=at("12:00:10"))
    stage.tick(10 * SECOND)
    stage.profile("heavy", max_runtime=HOUR * 2, priority=8)
    run = stage.run(schedule)
    assert run.policy.max_runtime == HOUR
    assert (run.priority, run.deadline_at) == (7, at("12:01:10"))


def test_a_changed_profile_acts_on_runs_made_ahead(stage: Stage) -> None:
    stage.profile("heavy", priority=1)
    schedule = stage.add(profile="heavy", trigger=Every(HOUR), start_at=at("12:00:10"))
    other = stage.add(trigger=Every(HOUR), start_at=at("12:00:10"))
    stage.tick(6 * SECOND)
    untouched = stage.run(other)
    stage.profile("heavy", priority=2, on_overlap="skip")
    run = stage.run(schedule)
    assert (run.priority, run.policy.priority, run.overlap) == (2, 2, "skip")
    assert run.state is RunState.PENDING
    assert stage.found(schedule).revision == 1
    assert stage.found(schedule).updated_at == schedule.updated_at
    assert stage.run(other) == untouched


def test_a_changed_profile_acts_through_the_group_and_the_tenant(stage: Stage) -> None:
    stage.profile("heavy", priority=1)
    stage.group("reports", profile="heavy")
    one = stage.add(group="reports", trigger=Every(HOUR), start_at=at("12:00:10"))
    two = stage.add(trigger=Every(HOUR), start_at=at("12:00:10"))
    stage.tick(6 * SECOND)
    stage.profile("heavy", priority=2)
    assert (stage.run(one).priority, stage.run(two).priority) == (2, 0)
    _tenant(stage, profile="heavy")
    assert stage.run(two).priority == 2
    stage.group("reports")
    assert stage.run(one).policy.priority == 2
    _tenant(stage)
    assert (stage.run(one).priority, stage.run(two).priority) == (0, 0)


def test_a_confirmed_run_is_not_made_anew(stage: Stage) -> None:
    worker = stage.worker()
    stage.profile("heavy", priority=1)
    schedule = stage.add(profile="heavy", trigger=Every(HOUR), start_at=at("12:00:05"))
    (offer,) = stage.start(worker)
    stage.profile("heavy", priority=2)
    run = stage.run(schedule)
    assert (run.priority, run.state, run.token) == (1, RunState.RUNNING, offer.token)


def test_a_changed_limit_holds_from_the_next_occurrence_on(stage: Stage) -> None:
    worker = stage.worker()
    stage.profile("heavy")
    schedule = stage.add(
        profile="heavy", trigger=Every(20 * SECOND), start_at=at("12:01:00")
    )
    stage.tick()
    stage.live(MINUTE + 50 * SECOND)
    assert len(stage.start(worker)) == 1
    stage.profile("heavy", max_concurrent=3)
    stage.live(20 * SECOND)
    running = stage.runs(schedule, RunState.RUNNING)
    holding = [Holding(run.id, run.token) for run in running]
    assert len(holding) == 1
    assert len(stage.poll(worker, holding=holding).offers) == 2


def test_allowed_runs_go_on_beside_each_other(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(
        trigger=Every(MINUTE),
        start_at=at("12:01:00"),
        policy=policy(on_overlap="allow", max_concurrent=1),
    )
    stage.tick()
    stage.live(3 * MINUTE)
    assert len(stage.poll(worker).offers) == 3
    assert _holds(stage, schedule).policy.limit == NO_LIMIT


def test_an_overlapping_run_is_skipped_at_its_instant(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(
        trigger=Every(MINUTE),
        start_at=at("12:01:00"),
        policy=policy(on_overlap="skip"),
    )
    stage.live(MINUTE)
    stage.start(worker)
    stage.live(59 * SECOND)
    assert stage.tick(HALF) == at("12:02:00")
    assert stage.runs(schedule)[-1].state is RunState.PENDING
    stage.tick(HALF)
    run = stage.runs(schedule)[-1]
    assert (run.scheduled_for, run.state) == (at("12:02:00"), RunState.SKIPPED)
    assert run.reason is Reason.OVERLAP


def test_an_earlier_run_is_stopped_for_the_one_that_replaces_it(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(
        trigger=Every(20 * SECOND),
        start_at=at("12:01:00"),
        policy=policy(on_overlap="replace"),
    )
    stage.live(MINUTE)
    (first,) = stage.start(worker)
    stage.news.clear()
    stage.live(20 * SECOND)
    assert any(worker.id in wake.workers for wake in stage.news)
    before, run = stage.runs(schedule)
    assert (before.state, before.reason) == (RunState.STOPPING, Reason.REPLACED)
    assert run.state is RunState.PENDING
    (revoked,) = stage.again(worker, holding=held([first]), slots=0).revoked
    assert revoked.reason == "replaced"
    stage.end(worker, first, state=AttemptState.CANCELLED)
    assert stage.runs(schedule)[0].state is RunState.CANCELLED
    assert [offer.run.id for offer in stage.poll(worker).offers] == [run.id]


def test_a_run_by_hand_and_one_that_catches_up_always_wait(stage: Stage) -> None:
    schedule = stage.add(
        trigger=Every(MINUTE),
        start_at=at("12:01:00"),
        policy=policy(on_overlap="skip"),
    )
    stage.tick()
    stage.tick(2 * MINUTE)
    assert [run.catch_up for run in stage.runs(schedule)] == [True, True]
    by_hand = stage.service.runs.trigger(TENANT, schedule.id)
    stage.tick()
    assert by_hand.overlap is None
    assert {run.state for run in stage.runs(schedule)} == {RunState.PENDING}


def test_what_has_not_started_by_its_deadline_expires(stage: Stage) -> None:
    schedule = stage.add(
        trigger=Every(HOUR),
        start_at=at("12:00:10"),
        policy=policy(deadline=20 * SECOND),
    )
    stage.tick(10 * SECOND)
    stage.live(19 * SECOND)
    assert stage.run(schedule).state is RunState.PENDING
    assert stage.tick() == at("12:00:30")
    stage.tick(SECOND)
    run = stage.run(schedule)
    assert (run.state, run.reason) == (RunState.EXPIRED, Reason.DEADLINE)


def test_a_retry_that_would_start_after_the_deadline_is_not_given(
    stage: Stage,
) -> None:
    worker = stage.worker()
    retries = RetriesSettings(max=5, backoff=15 * SECOND)
    schedule = stage.add(
        trigger=Every(DAY), policy=policy(deadline=20 * SECOND, retries=retries)
    )
    (offer,) = stage.start(worker)
    stage.end(worker, offer, state=AttemptState.FAILED)
    assert stage.run(schedule).state is RunState.PENDING
    stage.tick(15 * SECOND)
    (offer,) = stage.start(worker)
    stage.end(worker, offer, state=AttemptState.FAILED)
    assert stage.run(schedule).state is RunState.FAILED


@pytest.mark.parametrize("paused", [False, True])
def test_a_changed_limit_holds_at_once_for_what_waits_already(
    stage: Stage, *, paused: bool
) -> None:
    stage.profile("heavy", max_concurrent=3)
    schedule = stage.add(profile="heavy", start_at=at("23:00:00"), paused=paused)
    for _ in range(3):
        stage.service.runs.trigger(TENANT, schedule.id)
    stage.profile("heavy", max_concurrent=1)
    worker = stage.worker()
    assert len(stage.poll(worker).offers) == 1
    stage.profile("heavy", max_concurrent=2)
    assert len(stage.poll(worker).offers) == 2


@pytest.mark.parametrize("made", ["trigger", "backfill"])
def test_a_limit_that_changed_while_nothing_ran_holds_for_what_is_asked_for(
    stage: Stage, made: str
) -> None:
    stage.profile("heavy", max_concurrent=3)
    schedule = stage.add(profile="heavy", paused=True)
    stage.profile("heavy", max_concurrent=1)
    if made == "trigger":
        for _ in range(3):
            stage.service.runs.trigger(TENANT, schedule.id)
    else:
        end = stage.advance(3 * MINUTE)
        stage.service.backfill.span(
            TENANT, schedule.id, since=end - 3 * MINUTE, until=end, dry_run=False
        )
    assert len(stage.poll(stage.worker()).offers) == 1


def test_a_schedule_that_can_not_follow_a_changed_profile_stops_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.profile("heavy", priority=1)
    bad, good = sorted(
        (stage.add(profile="heavy", start_at=at("12:00:10")) for _ in range(2)),
        key=lambda schedule: schedule.id,
    )
    stage.tick(6 * SECOND)

    def fail(schedule: Schedule) -> Bounded:
        if schedule.id == bad.id:
            raise errors.InvalidTrigger("timezone", "gone")
        return calendar_of(schedule)

    monkeypatch.setattr("crony.scheduler.edits.calendar_of", fail)
    stage.profile("heavy", priority=2)
    assert stage.run(good).priority == 2
    assert stage.run(bad).priority == 1
