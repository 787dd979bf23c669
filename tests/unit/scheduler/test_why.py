"""Why: each answer names what stands in the way, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crony import errors
from crony.clock import MOMENT
from crony.model.trigger import At, Every, Trigger
from crony.scheduler.reasons import Code
from tests.unit.scheduler.asking import said, why
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


def test_an_instant_that_is_none_has_its_nearest_beside_it(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    answer = why(stage, schedule, "12:14")
    code, detail = said(answer)
    assert code is Code.NOT_DUE
    assert "every 10 minutes" in detail.lower()
    assert (answer.before, answer.after) == (at("12:10"), at("12:20"))
    assert answer.occurrence is None


def test_without_an_instant_it_is_about_the_newest_that_has_come_due(
    stage: Stage,
) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    worker = stage.worker()
    stage.live(MINUTE * 14, step=MINUTE)
    assert why(stage, schedule).occurrence == at("12:10")
    stage.start(worker)
    later = stage.add(trigger=At(at("18:00")))
    answer = why(stage, later)
    assert (answer.occurrence, answer.because.code) == (at("18:00"), Code.UPCOMING)


def test_what_is_to_come_says_when(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    code, detail = said(why(stage, schedule, "12:30"))
    assert code is Code.UPCOMING
    assert "30m" in detail


def test_what_was_made_ahead_is_to_come(stage: Stage) -> None:
    schedule = stage.add(trigger=At(at("12:00:04")))
    stage.tick()
    answer = why(stage, schedule, "12:00:04")
    assert answer.because.code is Code.UPCOMING
    assert answer.run == stage.run(schedule).id


def test_what_nothing_ticked_for_is_due(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    stage.tick(SECOND)
    stage.advance(MINUTE * 12)
    code, detail = said(why(stage, schedule, "12:10"))
    assert code is Code.DUE
    assert "/health/ready" in detail


def test_a_pause_says_since_when_and_how_it_ends(stage: Stage) -> None:
    schedule = stage.add(name="a", trigger=Every(MINUTE * 10))
    stage.tick(MINUTE)
    stage.service.schedules.pause(TENANT, "a")
    stage.live(MINUTE * 12, step=MINUTE)
    for when in ("12:10", "12:20"):
        code, detail = said(why(stage, schedule, when))
        assert code is Code.PAUSED
        assert "2026-11-20T12:01:00" in detail
        assert "POST /schedules/a/resume" in detail
    stage.service.schedules.resume(TENANT, "a")
    answer = why(stage, schedule, "12:10")
    assert answer.because.code is Code.PAUSED
    assert "/backfill" in answer.because.detail
    assert answer.run is not None
    assert why(stage, schedule, "12:20").because.code is Code.UPCOMING


def test_without_an_instant_a_pause_is_what_it_is_about(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    stage.tick(MINUTE)
    stage.service.schedules.pause(TENANT, schedule.id)
    answer = why(stage, schedule)
    assert (answer.because.code, answer.occurrence) == (Code.PAUSED, at("12:10"))
    stage.live(MINUTE * 12, step=MINUTE)
    answer = why(stage, schedule)
    assert (answer.because.code, answer.occurrence) == (Code.PAUSED, at("12:10"))


def test_the_pause_of_a_group_names_it(stage: Stage) -> None:
    stage.group("reports")
    schedule = stage.add(trigger=Every(MINUTE * 10), group="reports")
    stage.tick(SECOND)
    stage.service.groups.pause(TENANT, "reports")
    stage.live(MINUTE * 12, step=MINUTE)
    code, detail = said(why(stage, schedule, "12:10"))
    assert code is Code.PAUSED
    assert 'group "reports"' in detail
    stage.service.groups.resume(TENANT, "reports")
    assert 'group "reports"' in why(stage, schedule, "12:10").because.detail


@pytest.mark.parametrize(
    ("when", "word"),
    [
        ("11:50", "made at"),
        ("12:10", "start_at"),
        ("12:40", "max_runs"),
        ("13:00", "end_at"),
    ],
)
def test_beyond_a_bound_it_is_named(stage: Stage, when: str, word: str) -> None:
    schedule = stage.add(
        trigger=Every(MINUTE * 10),
        start_at=at("12:20"),
        end_at=at("13:00"),
        max_runs=2,
    )
    stage.live(HOUR, step=MINUTE)
    code, detail = said(why(stage, schedule, when))
    assert code is Code.OUTSIDE_BOUNDS
    assert word in detail


@pytest.mark.parametrize(
    ("misfire", "word"), [("none", '"none"'), ("latest", '"latest"')]
)
def test_what_was_missed_says_by_which_policy(
    stage: Stage, misfire: str, word: str
) -> None:
    schedule = stage.add(policy=policy(misfire=misfire))
    stage.live(SECOND * 2)
    stage.advance(MINUTE * 30)
    stage.tick()
    code, detail = said(why(stage, schedule, "12:07"))
    assert code is Code.MISFIRE
    assert word in detail
    assert why(stage, schedule, "12:07:30").because.code is Code.NOT_DUE


def test_what_is_older_than_the_window_says_so(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(HOUR))
    stage.live(SECOND * 2)
    stage.advance(DAY * 2)
    stage.tick()
    code, detail = said(why(stage, schedule, "13:00"))
    assert code is Code.MISFIRE
    assert "misfire_window, 1d" in detail


def test_a_deleted_schedule_explains_what_it_left(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    stage.tick(SECOND)
    stage.delete(schedule)
    assert why(stage, schedule, "12:00").because.code is Code.DELETED
    assert why(stage, schedule, "12:10").because.code is Code.DELETED
    assert why(stage, schedule).occurrence == at("12:00")


def test_what_an_edit_took_back_says_so(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(SECOND * 30))
    stage.tick(SECOND * 27)
    assert len(stage.runs(schedule)) == 2
    stage.edit(schedule, trigger=Every(MINUTE * 10))
    answer = why(stage, schedule, "12:00:30")
    assert answer.because.code is Code.WITHDRAWN
    assert "2026-11-20T12:00:27" in answer.because.detail


def test_what_was_pruned_says_so(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    worker = stage.worker()
    (offer,) = stage.start(worker)
    stage.end(worker, offer)
    stage.tick(MINUTE * 10)
    stage.store.runs.prune(
        schedule.tenant,
        schedule.id,
        keep=0,
        before=at("00:00"),
        now=stage.clock.now(),
        limit=10,
    )
    code, detail = said(why(stage, schedule, "12:00"))
    assert code is Code.PRUNED
    assert "retention" in detail


def test_a_schedule_of_another_tenant_is_not_there(stage: Stage) -> None:
    schedule = stage.add()
    with pytest.raises(errors.NotFound):
        stage.service.why.of("other", schedule.id)


def test_the_far_future_is_answered_at_once(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE), max_runs=10**9)
    answer = why(stage, schedule, at("12:00") + DAY * 365 * 900)
    assert answer.because.code is Code.UPCOMING


@pytest.mark.parametrize("trigger", [Every(MINUTE), At(at("18:00"))])
def test_the_last_instants_of_the_calendar_have_an_answer(
    stage: Stage, trigger: Trigger
) -> None:
    schedule = stage.add(trigger=trigger)
    last = datetime(9999, 1, 1, tzinfo=UTC)
    for before in (MOMENT, MINUTE, DAY * 40 * 366):
        answer = why(stage, schedule, last - before)
        assert answer.at == last - before
        assert answer.after is None or answer.after > answer.at
