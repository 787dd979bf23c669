"""Groups, profiles and tenants: what is written once holds for all their schedules."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crony import errors
from crony.model.group import Group
from crony.model.policy import PolicySettings, RetentionSettings
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Reason, RunState, ScheduleState
from crony.model.worker import Quotas
from crony.scheduler import carrying
from crony.scheduler.carrying import Carrier
from tests.unit.scheduler.stage import MINUTE, SECOND, TENANT, Stage, at, policy


def group(stage: Stage, name: str = "reports", **members: object) -> Group:
    """Make or change a group."""
    facts: dict[str, object] = {
        "description": "",
        "profile": None,
        "max_concurrent": None,
        "paused": False,
    } | members
    return stage.service.groups.put(TENANT, name, **facts)[0]  # type: ignore[arg-type]


def profile(stage: Stage, settings: PolicySettings, name: str = "heavy") -> None:
    """Make or change a profile."""
    stage.service.profiles.put(TENANT, name, description="", settings=settings)


def states(stage: Stage, *schedules: Schedule) -> list[ScheduleState]:
    """Return the states of schedules now."""
    return [stage.found(schedule).state for schedule in schedules]


def ahead(stage: Stage, schedule: Schedule) -> Run:
    """Return the run of a schedule that was made ahead."""
    (found,) = [
        run
        for run in stage.runs(schedule, RunState.PENDING)
        if run.scheduled_for > stage.clock.now()
    ]
    return found


def pause_and_crash(stage: Stage, found: Group) -> Group:
    """Write a pause as a node does that is gone right after."""
    now = stage.clock.now()
    paused = replace(
        found,
        paused=True,
        since=now,
        carried=False,
        revision=found.revision + 1,
        updated_at=now,
    )
    counted, _ = stage.store.groups.put(paused, expected=found.revision)
    assert counted
    return paused


def test_a_pause_is_carried_over_before_it_is_answered(stage: Stage) -> None:
    group(stage)
    ours = [stage.add(group="reports") for _ in range(3)]
    own = stage.add(group="reports", paused=True)
    other = stage.add()
    paused = stage.service.groups.pause(TENANT, "reports")
    assert paused.paused
    assert stage.service.groups.find(TENANT, "reports").carried
    assert states(stage, *ours) == [ScheduleState.PAUSED] * 3
    assert states(stage, other) == [ScheduleState.ACTIVE]
    assert stage.service.groups.pause(TENANT, "reports").revision == paused.revision
    resumed = stage.service.groups.resume(TENANT, "reports")
    assert resumed.revision == paused.revision + 1
    assert states(stage, *ours, own) == [ScheduleState.ACTIVE] * 3 + [
        ScheduleState.PAUSED
    ]


def test_a_pause_that_was_cut_off_is_carried_over_by_the_ticker(stage: Stage) -> None:
    ours = [stage.add(group=group(stage).name) for _ in range(3)]
    written_at = stage.clock.now()
    pause_and_crash(stage, group(stage))
    stage.tick(SECOND)
    # Whoever wrote it may be at it still.
    assert states(stage, *ours) == [ScheduleState.ACTIVE] * 3
    stage.live(carrying.PATIENCE)
    assert states(stage, *ours) == [ScheduleState.PAUSED] * 3
    assert stage.store.groups.uncarried(limit=10) == ()
    version = stage.store.schedules.versions(TENANT, ours[0].id, until=None, limit=1)[0]
    # It holds from when it was written on.
    assert (version.held, version.since) == (True, written_at)


def test_a_pause_that_was_cut_off_is_carried_over_by_whoever_asks_again(
    stage: Stage,
) -> None:
    ours = stage.add(group=group(stage).name)
    cut_off = pause_and_crash(stage, group(stage))
    again = stage.service.groups.pause(TENANT, "reports")
    assert again.revision == cut_off.revision
    assert states(stage, ours) == [ScheduleState.PAUSED]


def test_the_ticker_carries_a_large_group_over_in_small_steps(stage: Stage) -> None:
    ours = [stage.add(group=group(stage).name) for _ in range(45)]
    pause_and_crash(stage, group(stage))
    now = stage.advance(carrying.PATIENCE)
    carrier = Carrier(stage.store, edits=stage.service.edits)
    steps = 1
    while carrier.step(now):
        steps += 1
        assert steps < 10
    assert steps >= 3
    assert set(states(stage, *ours)) == {ScheduleState.PAUSED}
    assert not carrier.step(now)


class Losing:
    """Edits that somebody else is always faster than."""

    def hold(self, schedule: Schedule, group: Group) -> Schedule | None:
        """Come too late."""


def test_whoever_is_always_too_late_says_so_and_leaves_it_to_the_ticker(
    stage: Stage,
) -> None:
    stage.add(group=group(stage).name)
    pause_and_crash(stage, group(stage))
    carrier = Carrier(stage.store, edits=Losing())
    with pytest.raises(errors.Overloaded, match="reports"):
        carrier.carry(TENANT, "reports")
    assert not carrier.step(stage.advance(carrying.PATIENCE))
    assert len(stage.store.groups.uncarried(limit=10)) == 1


def test_what_a_group_skips_is_one_record_and_runs_where_the_resume_asks(
    stage: Stage,
) -> None:
    group(stage)
    kept, skipped = stage.add(group="reports"), stage.add(group="reports")
    stage.service.groups.pause(TENANT, "reports")
    stage.live(3 * MINUTE, step=5 * SECOND)
    stage.edit(skipped, paused=True)
    stage.service.groups.resume(TENANT, "reports", misfire="latest")
    stage.tick()
    latest = [run for run in stage.runs(kept) if run.catch_up]
    assert [run.scheduled_for for run in latest] == [at("12:03:00")]
    assert latest[0].state is RunState.PENDING
    (rest,) = [run for run in stage.runs(kept) if run.state is RunState.SKIPPED]
    assert (rest.reason, rest.range_count) == (Reason.PAUSED, 2)
    assert not any(run.catch_up for run in stage.runs(skipped))


def test_a_changed_profile_holds_for_what_was_made_ahead(stage: Stage) -> None:
    profile(stage, policy(priority=1))
    profile(stage, policy(), name="other")
    group(stage, profile="heavy")
    named = stage.add(profile="heavy", group="default")
    member = stage.add(group="reports", profile="other")
    neither = stage.add(profile="other")
    stage.tick(56 * SECOND)
    assert [ahead(stage, each).priority for each in (named, member)] == [1, 1]
    profile(stage, policy(priority=2))
    stage.tick()
    assert ahead(stage, named).priority == 2
    assert ahead(stage, member).priority == 2
    assert ahead(stage, neither).priority == 0
    assert {stage.found(each).revision for each in (named, member)} == {1}


def test_another_profile_of_a_group_holds_for_what_was_made_ahead(
    stage: Stage,
) -> None:
    profile(stage, policy(max_runtime=timedelta(hours=6)))
    group(stage)
    member = stage.add(group="reports")
    stage.tick(56 * SECOND)
    assert ahead(stage, member).policy.max_runtime == timedelta(hours=1)
    group(stage, profile="heavy")
    stage.tick()
    assert ahead(stage, member).policy.max_runtime == timedelta(hours=6)


def test_what_a_tenant_says_holds_for_what_was_made_ahead(stage: Stage) -> None:
    profile(stage, policy(priority=3))
    member = stage.add()
    stage.tick(56 * SECOND)
    assert ahead(stage, member).priority == 0
    retention = RetentionSettings(log=4096)
    stage.service.tenants.put(
        TENANT, quotas=Quotas(), profile="heavy", retention=retention
    )
    stage.tick()
    assert ahead(stage, member).priority == 3
    assert ahead(stage, member).policy.retention.log == 4096


def test_a_change_that_is_no_policy_touches_no_run(stage: Stage) -> None:
    group(stage)
    member = stage.add(group="reports")
    stage.tick(56 * SECOND)
    before = ahead(stage, member)
    group(stage, description="changed", max_concurrent=3)
    stage.service.tenants.put(TENANT, quotas=Quotas(schedules=7))
    assert ahead(stage, member) == before


def test_a_profile_that_is_not_there_is_refused(stage: Stage) -> None:
    with pytest.raises(errors.InvalidBody) as caught:
        group(stage, profile="none")
    assert [fault.pointer for fault in caught.value.faults] == ["/profile"]
    with pytest.raises(errors.InvalidBody) as caught:
        stage.service.tenants.put(TENANT, quotas=Quotas(), profile="none")
    assert [fault.pointer for fault in caught.value.faults] == ["/profile"]


def test_a_group_of_a_fresh_name_that_is_paused_holds_what_joins_it(
    stage: Stage,
) -> None:
    assert group(stage, paused=True).carried
    joined = stage.add(group="reports")
    assert states(stage, joined) == [ScheduleState.PAUSED]
    assert stage.runs(joined) == []


def test_a_limit_that_is_raised_lets_waiting_workers_know(stage: Stage) -> None:
    group(stage, max_concurrent=1)
    worker = stage.worker()
    for _ in range(2):
        stage.add(group="reports")
    stage.tick(MINUTE)
    assert len(stage.start(worker)) == 1
    stage.news.clear()
    group(stage, max_concurrent=2)
    assert {line for wake in stage.news for line in wake.ready} == {(TENANT, "default")}
    assert len(stage.again(worker).offers) == 1


def test_schedules_that_can_not_follow_their_group_stop_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "_PAGE", 1)
    group(stage)
    bad, good = sorted(
        (stage.add(group="reports") for _ in range(2)),
        key=lambda schedule: schedule.id,
    )
    hold = stage.service.edits.hold

    def fail(schedule: Schedule, of: Group) -> Schedule | None:
        if schedule.id == bad.id:
            raise ValueError("nothing can be worked out from this row")
        return hold(schedule, of)

    monkeypatch.setattr(stage.service.edits, "hold", fail)
    with pytest.raises(errors.Overloaded, match="some follow it later"):
        stage.service.groups.pause(TENANT, "reports")
    assert stage.found(good).held
    assert not stage.found(bad).held
