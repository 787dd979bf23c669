"""The pruner: what retention does not keep goes, in small steps, and is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from crony.model.policy import PolicySettings, RetentionSettings
from crony.model.schedule import Schedule
from crony.model.state import RunState
from crony.model.trigger import Every
from crony.scheduler.policies import Policies
from crony.scheduler.pruner import Pruner
from crony.testing.factories import make_webhook
from tests.unit.scheduler.stage import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    TENANT,
    Stage,
    at,
    policy,
)


def pruner(stage: Stage, holder: str = "a") -> Pruner:
    """Return a pruner that has rested."""
    return Pruner(
        stage.store, policies=Policies(stage.store), wakes=stage.wakes, holder=holder
    )


def prune(stage: Stage, holder: str = "a") -> int:
    """Prune until there is nothing more to do; return in how many steps."""
    work = pruner(stage, holder)
    steps = 1
    while work.step(stage.clock.now()):
        steps += 1
        assert steps < 1000
    return steps


def kept(runs: int | None = None, age: timedelta | None = None) -> PolicySettings:
    """Return a policy that keeps so much."""
    return policy(retention=RetentionSettings(runs=runs, age=age), max_concurrent=1000)


def ended(stage: Stage, schedule: Schedule, number: int) -> None:
    """Have so many occurrences of a schedule end as succeeded, one each minute."""
    worker = stage.worker(slots=1000)
    for _ in range(number):
        stage.tick(MINUTE)
        for offer in stage.start(worker, slots=1000):
            stage.end(worker, offer)


def test_the_newest_runs_are_kept_and_the_others_counted(stage: Stage) -> None:
    schedule = stage.add(policy=kept(runs=3))
    ended(stage, schedule, 9)
    prune(stage)
    left = stage.runs(schedule, RunState.SUCCEEDED)
    assert [run.scheduled_for for run in left] == [
        at("12:07"),
        at("12:08"),
        at("12:09"),
    ]
    pruned = stage.store.runs.pruned(schedule.tenant, schedule.id)
    assert pruned is not None
    assert pruned.occurrences == {RunState.SUCCEEDED: 7}


def test_what_is_too_old_goes_however_few_there_are(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(DAY), policy=kept(age=DAY * 2))
    stage.tick()
    ended(stage, schedule, 1)
    stage.advance(DAY)
    ended(stage, schedule, 1)
    assert len(stage.runs(schedule)) == 2
    stage.advance(DAY + HOUR)
    prune(stage)
    (left,) = stage.runs(schedule, RunState.SUCCEEDED)
    assert left.scheduled_for == at("12:00") + DAY


def test_the_retention_of_a_profile_and_of_the_tenant_holds(stage: Stage) -> None:
    tenant = stage.store.tenants.find(TENANT)
    assert tenant is not None
    changed = replace(
        tenant, revision=tenant.revision + 1, retention=RetentionSettings(runs=2)
    )
    assert stage.store.tenants.put(changed, expected=tenant.revision)
    schedule = stage.add(policy=policy(max_concurrent=1000))
    ended(stage, schedule, 5)
    prune(stage)
    assert len(stage.runs(schedule, RunState.SUCCEEDED)) == 2


def test_of_a_deleted_schedule_the_tenant_s_retention_keeps(stage: Stage) -> None:
    schedule = stage.add(policy=kept(runs=1))
    ended(stage, schedule, 5)
    stage.delete(schedule)
    prune(stage)
    assert len(stage.runs(schedule, RunState.SUCCEEDED)) == 6
    stage.advance(DAY * 91)
    prune(stage)
    assert stage.runs(schedule) == []
    assert stage.store.schedules.definition(schedule.tenant, schedule.id, 1) is None


def test_what_has_not_ended_stays(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(DAY), policy=kept(runs=1, age=SECOND))
    stage.tick()
    stage.live(DAY * 3, step=HOUR)
    prune(stage)
    assert len(stage.runs(schedule, RunState.PENDING)) == 4


def test_each_step_removes_little_and_the_rest_follows(stage: Stage) -> None:
    schedule = stage.add(policy=kept(runs=10), trigger=Every(SECOND))
    ended(stage, schedule, 6)
    before = len(stage.runs(schedule, RunState.SUCCEEDED))
    assert before > 300
    work = pruner(stage)
    sizes = [before]
    while work.step(stage.clock.now()):
        sizes.append(len(stage.runs(schedule, RunState.SUCCEEDED)))
    assert sizes[-1] == 10
    assert max(more - less for more, less in pairwise(sizes)) <= 100


def test_a_walk_goes_on_where_the_last_holder_left_it(stage: Stage) -> None:
    schedules = [stage.add(policy=kept(runs=1)) for _ in range(120)]
    first, *_, last = sorted(schedules, key=lambda each: each.id)
    ended(stage, first, 2)
    work = pruner(stage, "a")
    while stage.store.duties.note("prune") is None:
        assert work.step(stage.clock.now())
    assert len(stage.runs(first, RunState.SUCCEEDED)) == 1
    assert len(stage.runs(last, RunState.SUCCEEDED)) == 3
    ended(stage, first, 1)
    prune(stage, "b")
    assert len(stage.runs(first, RunState.SUCCEEDED)) == 2
    assert len(stage.runs(last, RunState.SUCCEEDED)) == 1
    prune(stage, "b")
    assert len(stage.runs(first, RunState.SUCCEEDED)) == 1


def test_only_one_at_a_time_prunes(stage: Stage) -> None:
    schedule = stage.add(policy=kept(runs=1))
    ended(stage, schedule, 3)
    stage.store.duties.hold(
        "prune", "other", now=stage.clock.now(), ttl=timedelta(seconds=30)
    )
    assert not pruner(stage).step(stage.clock.now())
    assert len(stage.runs(schedule, RunState.SUCCEEDED)) == 4
    stage.advance(MINUTE)
    prune(stage)
    assert len(stage.runs(schedule, RunState.SUCCEEDED)) == 1


def test_it_rests_between_two_walks(stage: Stage) -> None:
    schedule = stage.add(policy=kept(runs=1))
    work = pruner(stage)
    while work.step(stage.clock.now()):
        pass
    ended(stage, schedule, 3)
    stage.clock.set(stage.clock.now() - MINUTE * 3 + SECOND)
    assert not work.step(stage.clock.now())
    assert len(stage.runs(schedule, RunState.SUCCEEDED)) == 4
    stage.advance(MINUTE * 2)
    while work.step(stage.clock.now()):
        pass
    assert len(stage.runs(schedule, RunState.SUCCEEDED)) == 1


def test_the_others_rest_with_it(stage: Stage) -> None:
    schedule = stage.add(policy=kept(runs=1))
    work, other = pruner(stage, "a"), pruner(stage, "b")
    while work.step(stage.clock.now()):
        pass
    ended(stage, schedule, 3)
    stage.advance(-3 * MINUTE)
    for _ in range(5):
        stage.advance(10 * SECOND)
        assert not work.step(stage.clock.now())
        assert not other.step(stage.clock.now())
    assert len(stage.runs(schedule, RunState.SUCCEEDED)) == 4
    # Where it says nothing more, another goes on.
    stage.advance(31 * SECOND)
    assert other.step(stage.clock.now())


def test_who_ends_hands_it_over_at_once(stage: Stage) -> None:
    work = pruner(stage, "a")
    work.step(stage.clock.now())
    assert not pruner(stage, "b").step(stage.clock.now())
    work.stop()
    assert pruner(stage, "b").step(stage.clock.now())


def test_it_rests_longer_after_a_long_walk(stage: Stage) -> None:
    schedule = stage.add(policy=kept(runs=1))
    work = pruner(stage)
    while work.step(stage.clock.now()):
        stage.advance(MINUTE)
    ended(stage, schedule, 3)
    assert not work.step(stage.clock.now())
    assert len(stage.runs(schedule, RunState.SUCCEEDED)) == 5
    stage.advance(MINUTE * 10)
    while work.step(stage.clock.now()):
        pass
    assert len(stage.runs(schedule, RunState.SUCCEEDED)) == 1


def test_events_are_forgotten_after_a_day(stage: Stage) -> None:
    stage.add(paused=True)
    stage.advance(HOUR * 23)
    prune(stage)
    assert len(stage.store.events.page(TENANT, after=0, limit=10)) == 1
    stage.advance(HOUR * 2)
    prune(stage)
    assert stage.store.events.page(TENANT, after=0, limit=10) == ()


def test_events_that_a_webhook_has_not_looked_at_are_kept_for_a_week(
    stage: Stage,
) -> None:
    now = stage.clock.now()
    webhook = make_webhook(name="slow", created_at=now, updated_at=now)
    assert stage.store.webhooks.put(webhook, expected=None)
    stage.add(paused=True)
    stage.advance(DAY * 3)
    prune(stage)
    assert len(stage.store.events.page(TENANT, after=0, limit=10)) == 1
    stage.advance(DAY * 5)
    prune(stage)
    assert list(stage.store.events.page(TENANT, after=0, limit=10)) == []


def test_the_audit_takes_nothing_that_was_pruned_for_a_gap(stage: Stage) -> None:
    schedule = stage.add(policy=kept(runs=3))
    ended(stage, schedule, 9)
    prune(stage)
    found = stage.service.audit.span(TENANT, limit=10)
    assert found.gaps == []
    (part,) = found.unverifiable
    assert (part.since, part.until, part.why) == (at("12:00"), at("12:06"), "pruned")
