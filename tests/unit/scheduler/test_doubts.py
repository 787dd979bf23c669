"""A schedule says what about it its owner may want to mend."""

from __future__ import annotations

from datetime import timedelta

from crony.model.policy import PolicySettings
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Reason
from crony.model.trigger import At, Every
from tests.unit.scheduler.stage import DAY, HOUR, MINUTE, Stage, policy


def _ran(
    stage: Stage,
    *,
    minutes: float,
    times: int = 3,
    settings: PolicySettings | None = None,
    **facts: object,
) -> Schedule:
    """Return an hourly schedule whose runs took so long."""
    worker = stage.worker()
    schedule = stage.add(trigger=Every(HOUR), policy=settings or policy())
    for number in range(times):
        if number:
            stage.live(HOUR, step=20 * MINUTE)
        (offer,) = stage.start(worker)
        stage.end(worker, offer, duration=timedelta(minutes=minutes), **facts)
    return schedule


def _codes(stage: Stage, schedule: Schedule) -> list[str]:
    (view,) = stage.service.schedules.views([stage.found(schedule)])
    return [warning.code for warning in view.warnings]


def test_runs_that_take_longer_than_the_time_between_them_are_slow(
    stage: Stage,
) -> None:
    schedule = _ran(stage, minutes=75)
    (view,) = stage.service.schedules.views([schedule])
    (warning,) = view.warnings
    assert warning.code == "slow"
    assert "1h15m" in warning.detail
    assert "1h " in warning.detail
    # Changing it answers with what holds then.
    assert _codes(stage, stage.edit(schedule, trigger=Every(HOUR * 2))) == []


def test_runs_that_may_go_on_beside_each_other_are_not_slow(stage: Stage) -> None:
    schedule = _ran(stage, minutes=75, settings=policy(max_concurrent=2))
    assert _codes(stage, schedule) == []
    stage.edit(schedule, policy=policy(max_concurrent=1))
    assert _codes(stage, schedule) == ["slow"]
    stage.edit(schedule, policy=policy(on_overlap="allow"))
    assert _codes(stage, schedule) == []


def test_what_is_due_once_more_or_never_is_not_slow(stage: Stage) -> None:
    schedule = _ran(stage, minutes=75)
    stage.edit(schedule, trigger=At(stage.clock.now() + DAY))
    assert _codes(stage, schedule) == []


def test_two_runs_say_nothing_of_what_is_usual(stage: Stage) -> None:
    assert _codes(stage, _ran(stage, minutes=75, times=2)) == []


def test_a_deadline_that_runs_usually_miss_is_short(stage: Stage) -> None:
    schedule = _ran(stage, minutes=30)
    stage.edit(schedule, policy=policy(deadline=20 * MINUTE))
    assert _codes(stage, schedule) == ["deadline_short"]
    stage.edit(schedule, policy=policy(deadline=40 * MINUTE))
    assert _codes(stage, schedule) == []


def test_a_deadline_that_stops_all_runs_is_short(stage: Stage) -> None:
    schedule = _ran(
        stage,
        minutes=21,
        settings=policy(deadline=20 * MINUTE),
        state=AttemptState.TIMED_OUT,
        reason=Reason.DEADLINE,
    )
    assert _codes(stage, schedule) == ["deadline_short"]


def test_failed_runs_do_not_count_for_what_is_usual(stage: Stage) -> None:
    schedule = _ran(stage, minutes=75, state=AttemptState.FAILED)
    assert _codes(stage, schedule) == []
