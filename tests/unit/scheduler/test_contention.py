"""Who is too late with a write works it out anew, and nothing is lost between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from crony import errors
from crony.model.state import RunState, ScheduleState
from crony.model.trigger import Cron, Every
from crony.scheduler.service import Service
from crony.triggers import rules_of
from tests.unit.scheduler.stage import HOUR, MINUTE, SECOND, TENANT, Stage, at


def _pause_behind(stage: Stage, name: str) -> None:
    """Write a group's pause as who then dies: no schedule follows yet."""
    group = stage.store.groups.find(TENANT, name)
    assert group is not None
    now = stage.clock.now()
    paused = replace(
        group,
        paused=True,
        carried=False,
        since=now,
        revision=group.revision + 1,
        updated_at=now,
    )
    assert stage.store.groups.put(paused, expected=group.revision)[0]


def _just_before(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, verb: str, act: Callable[[], object]
) -> None:
    """Let something happen between the reads and the first write of this verb."""
    write = getattr(stage.store.schedules, verb)
    acted: list[bool] = []

    def contended(*args: object, **members: object) -> object:
        if not acted:
            acted.append(True)
            act()
        return write(*args, **members)

    monkeypatch.setattr(stage.store.schedules, verb, contended)


def test_a_schedule_made_while_its_group_is_paused_is_paused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.group("reports")
    _just_before(stage, monkeypatch, "create", lambda: _pause_behind(stage, "reports"))
    schedule = stage.add(group="reports")
    assert (schedule.held, schedule.state) == (True, ScheduleState.PAUSED)


def test_an_edit_while_the_group_is_paused_takes_the_pause_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.group("reports")
    schedule = stage.add(group="reports")
    _just_before(stage, monkeypatch, "update", lambda: _pause_behind(stage, "reports"))
    changed = stage.edit(schedule, description="new")
    assert (changed.held, changed.revision) == (True, 2)


def test_an_edit_settles_the_pause_of_the_group_from_its_own_instant(
    stage: Stage,
) -> None:
    stage.group("reports")
    schedule = stage.add(
        group="reports", trigger=Every(MINUTE), start_at=at("12:01:00")
    )
    stage.live(90 * SECOND)
    _pause_behind(stage, "reports")
    stage.advance(2 * MINUTE)
    changed = stage.edit(schedule, description="new")
    assert (changed.held, changed.revision) == (True, 2)
    assert [
        (run.scheduled_for, run.state, run.range_count) for run in stage.runs(schedule)
    ] == [
        (at("12:01:00"), RunState.PENDING, 1),
        (at("12:02:00"), RunState.SKIPPED, 2),
    ]


def test_a_group_or_profile_that_goes_meanwhile_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.profile("heavy")
    schedule = stage.add()

    def gone() -> None:
        stage.service.profiles.delete(TENANT, "heavy", if_match=None)

    _just_before(stage, monkeypatch, "update", gone)
    with pytest.raises(errors.InvalidBody) as refused:
        stage.edit(schedule, profile="heavy")
    assert [fault.pointer for fault in refused.value.faults] == ["/profile"]
    stage.profile("heavy")
    _just_before(stage, monkeypatch, "create", gone)
    with pytest.raises(errors.InvalidBody) as refused:
        stage.add(profile="heavy")
    assert [fault.pointer for fault in refused.value.faults] == ["/profile"]


def test_a_policy_reaches_what_somebody_changes_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.profile("heavy", priority=1)
    schedule = stage.add(profile="heavy", trigger=Every(HOUR), start_at=at("12:00:10"))
    stage.tick(6 * SECOND)
    other = stage.node()
    edit = _edit_of(other, schedule.id)
    _just_before(stage, monkeypatch, "update", edit)
    stage.profile("heavy", priority=2)
    assert stage.found(schedule).revision == 2
    assert stage.run(schedule).priority == 2


def _edit_of(service: Service, schedule: str) -> Callable[[], object]:
    return lambda: service.schedules.modify(
        TENANT, schedule, lambda old: replace(old, description="new"), if_match=None
    )


def test_each_write_notes_the_rules_it_was_worked_out_by(stage: Stage) -> None:
    stage.group("reports")
    trigger = Cron("0 20 * * *", "Europe/Berlin")
    schedule = stage.add(group="reports", trigger=trigger)
    rules = rules_of(trigger)
    assert stage.found(schedule).rules == rules != ""
    stage.edit(schedule, description="new")
    stage.service.groups.pause(TENANT, "reports")
    versions = stage.store.schedules.versions(
        schedule.tenant, schedule.id, until=None, limit=10
    )
    assert [(each.revision, each.held, each.rules) for each in versions] == [
        (2, True, rules),
        (2, False, rules),
        (1, False, rules),
    ]
    stage.edit(schedule, trigger=Cron("0 20 * * *"))
    assert stage.found(schedule).rules == ""


def test_a_step_that_breaks_does_not_stop_the_tick(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = stage.add(trigger=Every(HOUR), start_at=at("12:00:10"))

    def broken(*, limit: int) -> object:
        raise OverflowError("no column is that wide")

    monkeypatch.setattr(stage.store.groups, "uncarried", broken)
    stage.tick(10 * SECOND)
    assert stage.run(schedule).state is RunState.PENDING


def test_a_step_with_more_to_do_goes_on_at_once(stage: Stage) -> None:
    stage.group("reports")
    schedules = [stage.add(group="reports") for _ in range(25)]
    _pause_behind(stage, "reports")
    stage.tick(6 * SECOND)
    assert all(stage.found(schedule).held for schedule in schedules)
    group = stage.store.groups.find(TENANT, "reports")
    assert group is not None
    assert group.carried
