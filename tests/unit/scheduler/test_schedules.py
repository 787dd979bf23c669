"""Schedules are made, changed, paused and deleted as promised."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crony import errors
from crony.model.policy import PolicySettings
from crony.model.state import Reason, RunState, ScheduleState
from crony.model.trigger import At, Cron, Every
from crony.testing.factories import make_definition, make_profile
from tests.unit.scheduler.stage import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    TENANT,
    Stage,
    at,
)


def test_the_same_name_and_definition_is_the_same_schedule(stage: Stage) -> None:
    first, made = stage.service.schedules.create(TENANT, make_definition(name="a"))
    second, again = stage.service.schedules.create(TENANT, make_definition(name="a"))
    assert (made, again) == (True, False)
    assert second.id == first.id


def test_a_name_with_another_definition_is_taken(stage: Stage) -> None:
    holder = stage.add(name="a")
    with pytest.raises(errors.NameTaken) as caught:
        stage.add(name="a", description="another")
    assert caught.value.holder == holder.id


def test_what_changed_while_a_schedule_was_made_is_seen_in_its_view(
    stage: Stage,
) -> None:
    schedules, groups = stage.service.schedules, stage.store.groups
    look, definition = schedules.look(), make_definition()
    before = look.resolved(TENANT, definition)
    assert (before.group.paused, before.policy.priority) == (False, 0)
    profile = make_profile(settings=PolicySettings(priority=7))
    assert stage.store.profiles.put(profile, expected=None)
    paused = replace(before.group, paused=True, profile=profile.name, revision=2)
    assert groups.put(paused, expected=1)[0]
    made, _ = schedules.create(TENANT, definition, look=look)
    (view,) = schedules.views([made], look=look)
    assert made.held
    assert view == schedules.views([made])[0]
    assert look.resolved(TENANT, definition).policy.priority == 7


def test_a_repeat_under_the_same_id_counts_as_made(stage: Stage) -> None:
    id = stage.service.schedules.new_id()
    for _ in range(2):
        made = stage.service.schedules.create(TENANT, make_definition(), id=id)
        assert (made[0].id, made[1]) == (id, True)


def test_a_repeat_is_answered_alike_when_its_instant_is_long_past(
    stage: Stage,
) -> None:
    id = stage.service.schedules.new_id()
    once = make_definition(name="a", trigger=At(at("12:00:01")))
    first, _ = stage.service.schedules.create(TENANT, once, id=id)
    stage.tick(2 * DAY)
    assert stage.service.schedules.check_new(once, tenant=TENANT) == []
    found, made = stage.service.schedules.create(TENANT, once)
    assert (found.id, made) == (first.id, False)
    found, made = stage.service.schedules.create(TENANT, once, id=id)
    assert (found.id, made) == (first.id, True)


def test_an_interrupted_request_finds_what_it_made_without_a_name(
    stage: Stage,
) -> None:
    id = stage.service.schedules.new_id()
    once = make_definition(end_at=at("12:00:30"))
    stage.service.schedules.create(TENANT, once, id=id)
    stage.tick(DAY)
    assert stage.service.schedules.check_new(once, tenant=TENANT, id=id) == []
    found, made = stage.service.schedules.create(TENANT, once, id=id)
    assert (found.id, made) == (id, True)
    faults = stage.service.schedules.check_new(once, tenant=TENANT)
    assert [fault.pointer for fault in faults] == ["/end_at"]


def test_another_stale_trigger_under_a_known_name_is_refused(stage: Stage) -> None:
    stage.add(name="a", trigger=At(at("12:00:01")))
    stage.tick(2 * DAY)
    other = make_definition(name="a", trigger=At(at("12:00:02")))
    faults = stage.service.schedules.check_new(other, tenant=TENANT)
    assert [fault.pointer for fault in faults] == ["/at"]
    with pytest.raises(errors.InvalidBody):
        stage.service.schedules.create(TENANT, other)


def test_what_is_due_at_once_is_materialised_at_once(stage: Stage) -> None:
    schedule = stage.add(trigger=At(at("12:00:00")))
    assert stage.run(schedule).state is RunState.PENDING
    assert stage.found(schedule).state is ScheduleState.FINISHED


def test_an_instant_of_the_last_day_still_runs(stage: Stage) -> None:
    schedule = stage.add(trigger=At(at("12:00:00") - 23 * HOUR))
    assert stage.run(schedule).catch_up


def test_an_instant_before_the_window_is_refused(stage: Stage) -> None:
    with pytest.raises(errors.InvalidBody) as caught:
        stage.add(trigger=At(at("12:00:00") - 25 * HOUR))
    assert [fault.pointer for fault in caught.value.faults] == ["/at"]


def test_bounds_that_leave_nothing_are_refused(stage: Stage) -> None:
    with pytest.raises(errors.InvalidBody) as caught:
        stage.add(start_at=at("14:00:00"), end_at=at("13:00:00"))
    assert [fault.pointer for fault in caught.value.faults] == ["/end_at"]


def test_nothing_before_the_creation_is_due(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(HOUR), start_at=at("00:30:00"))
    assert schedule.cursor == at("12:30:00")


def test_an_edit_settles_what_was_due_under_the_old_version(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE), start_at=at("12:01:00"))
    stage.advance(150 * SECOND)
    edited = stage.edit(schedule, trigger=Every(HOUR))
    runs = stage.runs(schedule)
    assert [run.scheduled_for for run in runs] == [at("12:01:00"), at("12:02:00")]
    assert {run.revision for run in runs} == {1}
    assert edited.cursor == at("13:01:00")


def test_an_edit_takes_a_run_that_is_due_again_back(stage: Stage) -> None:
    schedule = stage.add(trigger=At(at("12:00:03")))
    assert stage.run(schedule).revision == 1
    stage.edit(schedule, description="later")
    run = stage.run(schedule)
    assert (run.state, run.revision) == (RunState.PENDING, 2)


def test_an_edit_withdraws_what_is_no_longer_due(stage: Stage) -> None:
    schedule = stage.add(trigger=At(at("12:00:03")))
    stage.edit(schedule, trigger=At(at("13:00:00")))
    assert stage.run(schedule).state is RunState.WITHDRAWN
    assert stage.found(schedule).cursor == at("13:00:00")


def test_an_edit_does_not_finish_a_schedule_before_its_last_run(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(SECOND), max_runs=3)
    assert stage.found(schedule).state is ScheduleState.FINISHED
    edited = stage.edit(schedule, description="with runs ahead")
    assert edited.state is ScheduleState.ACTIVE
    stage.live(10 * SECOND)
    due = [run.scheduled_for for run in stage.runs(schedule, RunState.PENDING)]
    assert due == [at("12:00:00"), at("12:00:01"), at("12:00:02")]


def test_an_edit_finishes_a_schedule_that_has_had_all_its_runs(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(SECOND), max_runs=2)
    stage.live(10 * SECOND)
    assert stage.edit(schedule, description="x").state is ScheduleState.FINISHED


def test_an_instant_that_an_edit_puts_at_now_runs(stage: Stage) -> None:
    schedule = stage.add(trigger=Cron("0 0 1 1 *"))
    now = stage.advance(HOUR)
    stage.edit(schedule, trigger=At(now - timedelta(milliseconds=5)))
    assert stage.run(schedule).state is RunState.PENDING


def test_the_same_definition_again_is_no_revision(stage: Stage) -> None:
    schedule = stage.add(name="a")
    found, new = stage.service.schedules.replace(
        TENANT, "a", schedule.definition, if_match=None
    )
    assert (found.revision, new) == (1, False)


def test_put_makes_a_schedule_under_the_name_in_the_path(stage: Stage) -> None:
    found, new = stage.service.schedules.replace(
        TENANT, "a", make_definition(), if_match=None
    )
    assert (found.definition.name, new) == ("a", True)


def test_put_under_an_unknown_id_makes_nothing(stage: Stage) -> None:
    with pytest.raises(errors.NotFound):
        stage.service.schedules.replace(
            TENANT,
            stage.service.schedules.new_id(),
            make_definition(),
            if_match=None,
        )


def test_put_to_create_only_refuses_what_exists(stage: Stage) -> None:
    stage.add(name="a")
    with pytest.raises(errors.RevisionMismatch):
        stage.service.schedules.replace(
            TENANT, "a", make_definition(), if_match=None, if_none_match=True
        )


def test_of_two_puts_that_only_create_one_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = stage.store.schedules.find

    def late(tenant, reference):  # type: ignore[no-untyped-def]
        found = find(tenant, reference)
        if found is None:
            monkeypatch.undo()
            stage.add(name="a")
        return found

    monkeypatch.setattr(stage.store.schedules, "find", late)
    with pytest.raises(errors.RevisionMismatch):
        stage.service.schedules.replace(
            TENANT, "a", make_definition(), if_match=None, if_none_match=True
        )


def test_an_edit_of_an_older_revision_is_refused(stage: Stage) -> None:
    schedule = stage.add()
    stage.edit(schedule, description="x")
    with pytest.raises(errors.RevisionMismatch):
        stage.service.schedules.modify(
            TENANT, schedule.id, lambda old: replace(old, description="y"), if_match=1
        )


def test_a_change_is_applied_anew_when_another_was_first(stage: Stage) -> None:
    schedule = stage.add(labels={"a": "1"})
    seen: list[str] = []

    def change(old):  # type: ignore[no-untyped-def]
        if not seen:
            stage.edit(schedule, description="first")
        seen.append(old.description)
        return replace(old, labels={"a": "2"})

    changed = stage.service.schedules.modify(TENANT, schedule.id, change, if_match=None)
    assert seen == ["", "first"]
    assert changed.definition.description == "first"
    assert changed.definition.labels == {"a": "2"}


def test_pausing_and_resuming_leave_one_record_of_the_pause(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE))
    stage.live(30 * SECOND)
    stage.service.schedules.pause(TENANT, schedule.id)
    stage.live(10 * MINUTE, step=MINUTE)
    resumed = stage.service.schedules.resume(TENANT, schedule.id)
    (skipped,) = stage.runs(schedule, RunState.SKIPPED)
    assert (skipped.reason, skipped.range_count) == (Reason.PAUSED, 10)
    assert skipped.scheduled_for == at("12:01:00")
    assert skipped.range_until == at("12:10:00")
    assert resumed.cursor == at("12:11:00")


def test_a_step_back_makes_nothing_of_a_recorded_pause_due_again(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE))
    stage.edit(schedule, paused=True)
    stage.live(30 * MINUTE, step=MINUTE)
    stage.edit(schedule, description="which records the pause so far")
    stage.clock.set(at("12:10:00"))
    resumed = stage.edit(schedule, paused=False)
    assert resumed.cursor == at("12:31:00")
    stage.live(25 * MINUTE, step=MINUTE)
    due = [run.scheduled_for for run in stage.runs(schedule, RunState.PENDING)]
    assert due == [at("12:00:00"), *(at(f"12:{n}:00") for n in range(31, 36))]


def test_an_edit_after_a_clock_was_days_ahead_counts_from_now(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(DAY))
    stage.clock.set(at("12:00:00") + 100 * DAY)
    stage.edit(schedule, description="on the wrong clock")
    stage.clock.set(at("12:00:00"))
    assert stage.edit(schedule, description="x").cursor == at("12:00:00") + DAY


def test_pausing_twice_is_one_revision(stage: Stage) -> None:
    schedule = stage.add()
    for _ in range(2):
        paused = stage.service.schedules.pause(TENANT, schedule.id)
    assert (paused.revision, paused.state) == (2, ScheduleState.PAUSED)


def test_a_pause_of_years_of_seconds_is_recorded_quickly(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(SECOND), paused=True)
    stage.advance(3650 * DAY)
    stage.service.schedules.resume(TENANT, schedule.id)
    (skipped,) = stage.runs(schedule, RunState.SKIPPED)
    assert skipped.range_count == 3650 * 86_400 + 1
    assert skipped.range_until == at("12:00:00") + 3650 * DAY


def test_a_run_confirmed_ahead_of_a_pause_does_not_hide_it(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add(trigger=Every(MINUTE), start_at=at("12:00:02"))
    (started,) = stage.start(worker)
    stage.service.schedules.pause(TENANT, schedule.id)
    stage.advance(5 * MINUTE)
    stage.service.schedules.resume(TENANT, schedule.id)
    (skipped,) = stage.runs(schedule, RunState.SKIPPED)
    assert started.run.scheduled_for == at("12:00:02")
    assert skipped.scheduled_for == at("12:01:02")
    assert skipped.range_count == 4


def test_deleting_cancels_what_was_not_started(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE), start_at=at("12:01:00"))
    stage.advance(90 * SECOND)
    stage.delete(schedule)
    (run,) = stage.runs(schedule)
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.DELETED)
    with pytest.raises(errors.NotFound):
        stage.found(schedule)


def test_deleting_stops_running_runs_only_when_asked(stage: Stage) -> None:
    for cancel, state in ((False, RunState.RUNNING), (True, RunState.STOPPING)):
        worker = stage.worker(name=f"host-{state}")
        schedule = stage.add(trigger=At(stage.clock.now()))
        stage.start(worker, slots=1)
        stage.delete(schedule, cancel_running=cancel)
        assert stage.run(schedule).state is state


def test_deleting_a_paused_schedule_records_its_pause(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE), paused=True)
    stage.advance(5 * MINUTE)
    stage.delete(schedule)
    assert stage.run(schedule).range_count == 6


def test_upcoming_ends_with_max_runs(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(SECOND), max_runs=8)
    items = stage.service.schedules.upcoming(TENANT, schedule.id, count=100)
    assert [item.at for item in items] == [at(f"12:00:0{n}") for n in range(1, 8)]


def test_a_preview_that_depends_on_a_name_asks_for_it(stage: Stage) -> None:
    for trigger in (Every("day"), Cron("H H * * *")):
        with pytest.raises(errors.InvalidBody) as caught:
            stage.service.schedules.preview(TENANT, trigger=trigger)
        assert caught.value.faults[0].pointer == "/name"


def test_a_preview_is_what_the_schedule_will_do(stage: Stage) -> None:
    text, items = stage.service.schedules.preview(
        TENANT, trigger=Every("day"), name="a", count=3
    )
    schedule = stage.add(name="a", trigger=Every("day"))
    (view,) = stage.service.schedules.views([schedule])
    assert view.description == text
    assert items == stage.service.schedules.upcoming(TENANT, "a", count=3)


def test_a_schedule_that_no_worker_serves_carries_a_warning(stage: Stage) -> None:
    schedule = stage.add(queue="gpu", requires={"os": "linux"})
    (view,) = stage.service.schedules.views([schedule])
    assert [warning.code for warning in view.warnings] == ["no_worker"]
    stage.worker(queues=["gpu"], labels={"os": "linux"})
    (view,) = stage.service.schedules.views([schedule])
    assert view.warnings == ()


def test_a_paused_schedule_has_no_next_run(stage: Stage) -> None:
    schedule = stage.add(paused=True)
    (view,) = stage.service.schedules.views([schedule])
    assert view.next_run_at is None


def test_what_was_made_ahead_is_still_what_comes_next(stage: Stage) -> None:
    start = stage.clock.now()
    often = stage.add(trigger=Every(SECOND))
    once = stage.add(trigger=At(start + 3 * SECOND))
    stage.tick()
    assert stage.found(once).cursor is None
    views = stage.service.schedules.views([stage.found(often), stage.found(once)])
    assert [view.next_run_at for view in views] == [
        start + SECOND,
        start + 3 * SECOND,
    ]
    assert [view.state for view in views] == ["active", "active"]
    stage.clock.advance(3 * SECOND)
    (view,) = stage.service.schedules.views([stage.found(once)])
    assert (view.next_run_at, view.state) == (None, "finished")
