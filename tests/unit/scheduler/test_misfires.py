"""What came due while nothing ticked runs, or is missed, as the policy says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from crony.model.group import Group
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Reason, RunState, ScheduleState
from crony.model.trigger import At, Every
from crony.scheduler import edits
from crony.triggers import jittered
from tests.unit.scheduler.stage import HOUR, MINUTE, SECOND, TENANT, Stage, at, policy


def _every_minute(stage: Stage, *, misfire: str, **members: object) -> Schedule:
    schedule = stage.add(
        trigger=Every(MINUTE),
        start_at=at("12:01:00"),
        policy=policy(misfire=misfire, misfire_window=HOUR),
        **members,
    )
    stage.tick()
    return schedule


def _short(run: Run) -> tuple[str, str, int]:
    """Return the instant, the state and the count of a record."""
    return run.scheduled_for.strftime("%H:%M"), run.state, run.range_count


def test_all_that_came_due_in_a_gap_runs(stage: Stage) -> None:
    schedule = _every_minute(stage, misfire="all")
    stage.tick(3 * MINUTE + 30 * SECOND)
    runs = stage.runs(schedule)
    assert [_short(run) for run in runs] == [
        ("12:01", "pending", 1),
        ("12:02", "pending", 1),
        ("12:03", "pending", 1),
    ]
    assert all(run.catch_up for run in runs)


def test_the_latest_of_a_gap_runs_and_the_others_are_one_record(stage: Stage) -> None:
    schedule = _every_minute(stage, misfire="latest")
    stage.tick(3 * MINUTE + 30 * SECOND)
    missed, run = stage.runs(schedule)
    assert _short(missed) == ("12:01", "missed", 2)
    assert (missed.reason, missed.range_until) == (Reason.MISFIRE, at("12:02:00"))
    assert _short(run) == ("12:03", "pending", 1)
    assert run.catch_up


def test_none_of_a_gap_runs(stage: Stage) -> None:
    schedule = _every_minute(stage, misfire="none")
    stage.tick(3 * MINUTE + 57 * SECOND)
    assert [_short(run) for run in stage.runs(schedule)] == [
        ("12:01", "missed", 3),
        ("12:04", "pending", 1),
    ]
    assert not stage.runs(schedule)[-1].catch_up


@pytest.mark.parametrize("misfire", ["all", "latest"])
def test_what_is_older_than_the_window_is_missed(stage: Stage, misfire: str) -> None:
    schedule = _every_minute(stage, misfire=misfire)
    stage.tick(2 * HOUR + 30 * SECOND)
    missed, *runs = stage.runs(schedule)
    assert len(runs) == (60 if misfire == "all" else 1)
    assert _short(missed) == ("12:01", "missed", 120 - len(runs))
    assert runs[-1].scheduled_for == at("14:00:00")


def test_nothing_runs_when_the_latest_is_too_old(stage: Stage) -> None:
    schedule = stage.add(
        trigger=At(at("12:01:00")),
        policy=policy(misfire="latest", misfire_window=HOUR),
    )
    stage.tick()
    stage.tick(2 * HOUR)
    assert [_short(run) for run in stage.runs(schedule)] == [("12:01", "missed", 1)]
    assert stage.found(schedule).state is ScheduleState.FINISHED


def test_a_short_gap_is_no_misfire(stage: Stage) -> None:
    schedule = stage.add(
        trigger=Every(SECOND), start_at=at("12:00:06"), policy=policy(misfire="none")
    )
    stage.tick()
    stage.tick(9 * SECOND)
    assert {run.state for run in stage.runs(schedule)} == {RunState.PENDING}


def test_the_latest_is_the_last_that_max_runs_admits(stage: Stage) -> None:
    schedule = _every_minute(stage, misfire="latest", max_runs=3)
    stage.tick(10 * MINUTE)
    assert [_short(run) for run in stage.runs(schedule)] == [
        ("12:01", "missed", 2),
        ("12:03", "pending", 1),
    ]
    assert stage.found(schedule).state is ScheduleState.FINISHED


def test_jitter_keeps_an_occurrence_from_being_a_misfire(stage: Stage) -> None:
    first, jitter = at("13:00:00"), timedelta(minutes=50)

    def due_at(schedule: Schedule) -> datetime:
        following = first + HOUR
        return jittered(schedule.id, first, jitter=jitter, following=following)

    # The draw is the id's: one that is due early, and one that is due late.
    early = late = None
    while early is None or late is None:
        schedule = stage.add(
            trigger=Every(HOUR),
            start_at=first,
            jitter=jitter,
            policy=policy(misfire="none"),
        )
        if due_at(schedule) <= at("13:25:00"):
            early = schedule
        else:
            late = schedule
    stage.tick()
    stage.tick(at("13:25:00") - stage.clock.now())
    assert stage.run(early).state is RunState.MISSED
    run = stage.run(late)
    assert (run.state, run.due_at) == (RunState.PENDING, due_at(late))
    assert not run.catch_up


def test_an_edit_settles_misfires_as_the_old_policy_says(stage: Stage) -> None:
    schedule = _every_minute(stage, misfire="latest")
    stage.advance(5 * MINUTE + 30 * SECOND)
    stage.edit(schedule, description="new", policy=policy(misfire="all"))
    assert [_short(run) for run in stage.runs(schedule)] == [
        ("12:01", "missed", 4),
        ("12:05", "pending", 1),
    ]


def test_missed_ones_stay_so_when_the_clock_is_set_back(stage: Stage) -> None:
    schedule = _every_minute(stage, misfire="none")
    stage.tick(10 * MINUTE + 30 * SECOND)
    stage.clock.advance(-5 * MINUTE)
    stage.edit(schedule, description="new")
    stage.live(6 * MINUTE)
    assert [_short(run) for run in stage.runs(schedule)] == [
        ("12:01", "missed", 10),
        ("12:11", "pending", 1),
    ]


# Pauses.


def test_a_pause_is_skipped_as_one_record(stage: Stage) -> None:
    schedule = _every_minute(stage, misfire="all")
    stage.service.schedules.pause(TENANT, schedule.id)
    stage.live(3 * MINUTE + 30 * SECOND, step=30 * SECOND)
    assert stage.runs(schedule) == []
    stage.service.schedules.resume(TENANT, schedule.id)
    (skipped,) = stage.runs(schedule)
    assert _short(skipped) == ("12:01", "skipped", 3)
    assert skipped.reason is Reason.PAUSED


def test_a_resume_may_let_the_pause_run(stage: Stage) -> None:
    schedule = _every_minute(stage, misfire="none")
    stage.service.schedules.pause(TENANT, schedule.id)
    stage.live(2 * HOUR + 30 * SECOND, step=10 * MINUTE)
    stage.service.schedules.resume(TENANT, schedule.id, misfire="all")
    skipped, *runs = stage.runs(schedule)
    # The policy's window holds for it too.
    assert _short(skipped) == ("12:01", "skipped", 60)
    assert skipped.reason is Reason.PAUSED
    assert len(runs) == 60
    assert all(run.catch_up and run.state is RunState.PENDING for run in runs)
    stage.tick()
    assert len(stage.runs(schedule)) == 61


def test_a_resume_may_let_the_latest_of_the_pause_run(stage: Stage) -> None:
    schedule = _every_minute(stage, misfire="all")
    stage.service.schedules.pause(TENANT, schedule.id)
    stage.live(3 * MINUTE + 30 * SECOND, step=30 * SECOND)
    stage.service.schedules.resume(TENANT, schedule.id, misfire="latest")
    assert [_short(run) for run in stage.runs(schedule)] == [
        ("12:01", "skipped", 2),
        ("12:03", "pending", 1),
    ]


def test_a_long_pause_is_let_run_in_several_steps(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "_SETTLED", 10)
    schedule = _every_minute(stage, misfire="all")
    stage.service.schedules.pause(TENANT, schedule.id)
    stage.advance(35 * MINUTE + 30 * SECOND)
    resumed = stage.service.schedules.resume(TENANT, schedule.id, misfire="all")
    assert resumed.revision == 3
    assert [run.scheduled_for.minute for run in stage.runs(schedule)] == [*range(1, 36)]


def test_a_pause_withdraws_what_is_ahead_and_leaves_what_is_due(stage: Stage) -> None:
    schedule = _every_minute(stage, misfire="all")
    stage.tick(56 * SECOND)
    stage.live(61 * SECOND)
    due, ahead = stage.runs(schedule)
    stage.service.schedules.pause(TENANT, schedule.id)
    assert stage.service.runs.find(TENANT, due.id).state is RunState.PENDING
    assert stage.service.runs.find(TENANT, ahead.id).state is RunState.WITHDRAWN
    worker = stage.worker()
    assert [offer.run.id for offer in stage.poll(worker).offers] == [due.id]


# Groups.


def test_a_paused_group_pauses_its_schedules(stage: Stage) -> None:
    stage.group("reports")
    schedule = _every_minute(stage, misfire="all", group="reports")
    other = _every_minute(stage, misfire="all")
    stage.service.groups.pause(TENANT, "reports")
    held = stage.found(schedule)
    assert (held.state, held.revision) == (ScheduleState.PAUSED, 1)
    assert stage.service.schedules.upcoming(TENANT, schedule.id, count=1) == []
    stage.live(3 * MINUTE + 30 * SECOND)
    assert len(stage.runs(other)) == 3
    stage.service.groups.resume(TENANT, "reports")
    assert [_short(run) for run in stage.runs(schedule)] == [("12:01", "skipped", 3)]
    stage.live(MINUTE)
    assert _short(stage.runs(schedule)[-1]) == ("12:04", "pending", 1)


def test_a_schedule_that_is_paused_itself_stays_so_with_its_group(
    stage: Stage,
) -> None:
    stage.group("reports")
    schedule = _every_minute(stage, misfire="all", group="reports", paused=True)
    stage.service.groups.pause(TENANT, "reports")
    stage.advance(2 * MINUTE)
    stage.service.groups.resume(TENANT, "reports", misfire="all")
    assert stage.found(schedule).state is ScheduleState.PAUSED
    assert {run.state for run in stage.runs(schedule)} == {RunState.SKIPPED}


def test_a_group_s_pause_holds_from_its_instant_however_late_it_is_carried(
    stage: Stage,
) -> None:
    stage.group("reports")
    schedule = _every_minute(stage, misfire="all", group="reports")
    group = stage.store.groups.find(TENANT, "reports")
    assert group is not None
    now = stage.clock.now()
    paused = _with(group, paused=True, since=now + 90 * SECOND)
    stage.live(90 * SECOND)
    assert stage.store.groups.put(paused, expected=group.revision)[0]
    # Whoever wrote that is gone; the ticker goes on some seconds later.
    stage.live(3 * MINUTE)
    assert stage.found(schedule).held
    stage.service.groups.resume(TENANT, "reports")
    assert [
        _short(run)
        for run in stage.runs(schedule)
        if run.state is not RunState.WITHDRAWN
    ] == [("12:01", "pending", 1), ("12:02", "skipped", 3)]


def test_a_schedule_that_moves_takes_over_the_pause_of_its_group(stage: Stage) -> None:
    stage.group("reports", paused=True)
    schedule = _every_minute(stage, misfire="all")
    moved = stage.edit(schedule, group="reports")
    assert (moved.held, moved.state) == (True, ScheduleState.PAUSED)
    stage.advance(2 * MINUTE + SECOND)
    back = stage.edit(schedule, group="default")
    assert (back.held, back.state) == (False, ScheduleState.ACTIVE)
    assert [_short(run) for run in stage.runs(schedule)] == [("12:01", "skipped", 2)]


def test_a_schedule_made_in_a_paused_group_is_paused(stage: Stage) -> None:
    stage.group("reports", paused=True)
    schedule = stage.add(group="reports")
    assert (schedule.held, schedule.state) == (True, ScheduleState.PAUSED)


def _with(group: Group, **members: object) -> Group:
    changed = replace(group, **members)  # type: ignore[arg-type]  # the test's
    return replace(
        changed, revision=group.revision + 1, carried=False, updated_at=changed.since
    )
