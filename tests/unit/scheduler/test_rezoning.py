"""A new release of the tz database moves what is ahead, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crony.model.state import RunState, ScheduleState
from crony.model.trigger import Cron, Every
from tests.unit.scheduler.releases import (
    EASTWARDS,
    WESTWARDS,
    Install,
    installing,
    instants,
    nightly,
    restart,
)
from tests.unit.scheduler.stage import DAY, HOUR, MINUTE, SECOND, Stage, at, held


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    with installing(tmp_path) as install:
        yield install


def test_an_occurrence_that_moved_to_earlier_runs_then_and_once(
    stage: Stage, install: Install
) -> None:
    schedule = nightly(stage)
    stage.tick(HOUR)
    install(EASTWARDS)
    restart(stage)
    stage.tick()
    assert stage.service.schedules.find("default", schedule).cursor == at("18:00:00")
    stage.live(DAY, step=10 * MINUTE)
    assert [instant for instant, _ in instants(stage, schedule)] == [at("18:00:00")]


def test_an_occurrence_that_moved_to_later_runs_then_and_once(
    stage: Stage, install: Install
) -> None:
    schedule = nightly(stage)
    stage.tick(HOUR)
    install(WESTWARDS)
    restart(stage)
    stage.live(DAY, step=10 * MINUTE)
    assert [instant for instant, _ in instants(stage, schedule)] == [at("20:00:00")]


def test_one_that_moved_into_the_outage_catches_up(
    stage: Stage, install: Install
) -> None:
    schedule = nightly(stage)
    stage.tick(5 * HOUR)
    install(EASTWARDS)
    stage.advance(90 * MINUTE)
    restart(stage)
    stage.tick()
    assert instants(stage, schedule) == [(at("18:00:00"), RunState.PENDING)]
    assert stage.runs()[0].catch_up
    stage.live(DAY, step=10 * MINUTE)
    assert len(instants(stage, schedule)) == 2


def test_what_was_due_before_the_last_tick_stays_as_it_was(
    stage: Stage, install: Install
) -> None:
    hourly = stage.add(trigger=Cron("30 13,14,15 * * *", "Europe/Berlin"))
    stage.live(HOUR, step=10 * MINUTE)
    (before,) = instants(stage, hourly.id)
    install(EASTWARDS)
    restart(stage)
    # 14:30 of the old clock was at 13:30 UTC; 15:30 of the new is at the same instant.
    stage.live(DAY - 2 * HOUR, step=10 * MINUTE)
    assert instants(stage, hourly.id) == [before, (at("13:30:00"), RunState.PENDING)]


@pytest.mark.parametrize("down", [SECOND, MINUTE])
def test_an_unconfirmed_run_of_an_instant_that_is_gone_is_withdrawn(
    stage: Stage, install: Install, down: timedelta
) -> None:
    worker = stage.worker()
    gone, begun = nightly(stage), nightly(stage)
    now = stage.tick(7 * HOUR - 2 * SECOND)
    assert now <= at("19:00:00")
    offers = {offer.run.schedule: offer for offer in stage.poll(worker).offers}
    stage.service.leasing.confirm(worker.tenant, worker.id, held([offers[begun]]))
    install(WESTWARDS)
    restart(stage)
    stage.tick(down)
    assert instants(stage, gone) == [(at("19:00:00"), RunState.WITHDRAWN)]
    assert instants(stage, begun) == [(at("19:00:00"), RunState.RUNNING)]
    stage.live(2 * HOUR, step=10 * MINUTE)
    assert instants(stage, gone)[1:] == [(at("20:00:00"), RunState.PENDING)]


def test_a_run_ahead_that_is_still_due_keeps_its_offer(
    stage: Stage, install: Install
) -> None:
    worker = stage.worker()
    quarterly = stage.add(
        trigger=Cron("*/15 * * * *", "Europe/Berlin"), start_at=at("12:10:00")
    )
    stage.tick(15 * MINUTE - 2 * SECOND)
    (offer,) = stage.poll(worker).offers
    install(EASTWARDS)
    restart(stage)
    stage.tick()
    run = stage.service.runs.find("default", offer.run.id)
    assert (run.state, run.token) == (RunState.LEASED, offer.token)
    assert stage.found(quarterly).occurrences == 1


def test_a_cadence_moves_and_what_has_no_zone_stays(
    stage: Stage, install: Install
) -> None:
    stays = [
        stage.add(trigger=Every(HOUR, "Europe/Berlin")),
        stage.add(trigger=Cron("0 20 * * *")),
    ]
    daily = stage.add(name="daily", trigger=Every("day", "Europe/Berlin"))
    stage.tick()
    before = [stage.found(schedule).cursor for schedule in stays]
    install(EASTWARDS)
    restart(stage)
    stage.tick()
    assert [stage.found(schedule).cursor for schedule in stays] == before
    moved, old = stage.found(daily).cursor, daily.cursor
    assert moved is not None
    assert old is not None
    assert moved in (old - HOUR, old + 23 * HOUR)


def test_a_paused_schedule_skips_what_its_zone_says_now(
    stage: Stage, install: Install
) -> None:
    schedule = stage.add(trigger=Cron("0 20 * * *", "Europe/Berlin"), paused=True)
    stage.tick()
    install(EASTWARDS)
    restart(stage)
    stage.tick(6 * HOUR + 30 * MINUTE)
    assert stage.runs(schedule) == []
    stage.edit(schedule, paused=False)
    assert instants(stage, schedule.id) == [(at("18:00:00"), RunState.SKIPPED)]


def test_max_runs_counts_each_occurrence_once(stage: Stage, install: Install) -> None:
    schedule = nightly(stage, max_runs=2)
    stage.tick(7 * HOUR - 2 * SECOND)
    assert instants(stage, schedule) == [(at("19:00:00"), RunState.PENDING)]
    install(WESTWARDS)
    restart(stage)
    stage.live(3 * DAY, step=30 * MINUTE)
    runs = [run for run in stage.runs() if run.state is not RunState.WITHDRAWN]
    due = at("20:00:00")
    assert [run.scheduled_for for run in runs] == [due, due + DAY]
    found = stage.service.schedules.find("default", schedule)
    assert (found.occurrences, found.state) == (2, ScheduleState.FINISHED)
