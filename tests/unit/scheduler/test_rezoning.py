"""A new release of the tz database moves what is ahead, and nothing else.

A release is a folder with ``Europe/Berlin`` and ``Asia/Tokyo``, whose files are those
of other places: with them the same expression comes due at other instants.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pytest

from crony.model.state import RunState, ScheduleState
from crony.model.trigger import Cron, Every
from crony.scheduler import rezoning
from crony.triggers import compiler, release, rules_of, zone
from tests.unit.scheduler.stage import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    TENANT,
    Stage,
    at,
    held,
)

#: On the day of the tests these are at 1, 2 and 0 hours from UTC.
PRESENT, EASTWARDS, WESTWARDS = "Europe/Berlin", "Europe/Athens", "Europe/London"
#: It keeps the hours of Berlin today, and kept others long ago.
ALIKE = "Europe/Paris"

CACHES = (
    zone.zone_named,
    zone._known_names,
    release.zone_release,
    compiler._checked_cron,
    compiler._compiled_cron,
    compiler._compiled_cadence,
    compiler._compiled_interval,
    compiler._compiled_instant,
)


class Install(Protocol):
    """Installs a release: two zones of it, and where their files are from."""

    def __call__(self, place: str, *, tokyo: str = "Asia/Tokyo") -> None: ...


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Give what a process would use that starts after the release was installed."""
    before = zoneinfo.TZPATH

    def forget() -> None:
        ZoneInfo.clear_cache()
        for cache in CACHES:
            cache.cache_clear()

    def use(place: str, *, tokyo: str = "Asia/Tokyo") -> None:
        folder = tmp_path / f"{place}-{tokyo}".replace("/", "-")
        for name, source in ((PRESENT, place), ("Asia/Tokyo", tokyo)):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            held = resources.files("tzdata") / "zoneinfo" / source
            file.write_bytes(held.read_bytes())
        zoneinfo.reset_tzpath([str(folder)])
        forget()

    use(PRESENT)
    yield use
    zoneinfo.reset_tzpath(before)
    forget()


def nightly(stage: Stage, hour: int = 20, **members: object) -> str:
    """Add a schedule that is due each day at that hour, in Berlin."""
    trigger = Cron(f"0 {hour} * * *", "Europe/Berlin")
    return stage.add(trigger=trigger, **members).id


def restart(stage: Stage) -> None:
    """Let another process take over, as after a restart of the service."""
    stage.service.ticker.stop()
    stage.service = stage.node()


def instants(stage: Stage, schedule: str) -> list[tuple[object, RunState]]:
    return [
        (run.scheduled_for, run.state)
        for run in stage.runs()
        if run.schedule == schedule
    ]


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


@pytest.mark.parametrize("down", [HOUR, 5 * HOUR, 6 * HOUR, 2 * DAY, 4 * DAY])
def test_another_process_goes_on_where_one_was_killed(
    stage: Stage, install: Install, monkeypatch: pytest.MonkeyPatch, down: timedelta
) -> None:
    monkeypatch.setattr(rezoning, "_PAGE", 2)
    schedules = sorted(nightly(stage) for _ in range(5))
    stage.tick(HOUR)
    install(EASTWARDS)
    restart(stage)
    now = stage.clock.now()
    assert stage.service.ticker.tick(now) == now
    assert moved(stage, schedules) == schedules[:2]
    # Killed: it gives nothing back, so that its duty has to run out.
    stage.advance(down + 10 * SECOND)
    stage.service = stage.node()
    seen: list[str] = []
    look = stage.store.schedules.walk

    def walk(**asked: Any) -> Any:
        page, end = look(**asked)
        seen.extend(schedule.id for schedule in page)
        return page, end

    monkeypatch.setattr(stage.store.schedules, "walk", walk)
    stage.live(DAY, step=10 * MINUTE)
    assert seen == schedules[2:]
    days = (stage.clock.now() - at("18:00:00")) // DAY + 1
    for schedule in schedules:
        covered = [
            run.scheduled_for + day * DAY
            for run in stage.runs()
            if run.schedule == schedule
            for day in range(run.range_count)
        ]
        assert covered == [at("18:00:00") + day * DAY for day in range(days)]


def moved(stage: Stage, schedules: list[str]) -> list[str]:
    """Return which of the schedules follow their zone by now."""
    cursors = {s: stage.service.schedules.find("default", s).cursor for s in schedules}
    return [s for s, cursor in cursors.items() if cursor != at("19:00:00")]


def test_ticking_goes_on_during_the_walk(
    stage: Stage, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rezoning, "_PAGE", 1)
    for _ in range(5):
        nightly(stage)
    busy = stage.add(trigger=Every(MINUTE), start_at=at("13:00:00"))
    stage.tick()
    install(EASTWARDS)
    restart(stage)
    now = stage.advance(HOUR)
    assert stage.service.ticker.tick(now) == now
    assert len(stage.runs(busy)) == 1


def test_the_same_release_walks_once(
    stage: Stage, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly(stage)
    stage.tick()
    walks: list[object] = []
    walk = stage.store.schedules.walk

    def counted(**asked: object) -> object:
        walks.append(asked)
        return walk(**asked)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(stage.store.schedules, "walk", counted)
    stage.tick(MINUTE)
    restart(stage)
    stage.tick(MINUTE)
    assert not walks
    install(WESTWARDS)
    restart(stage)
    stage.tick(MINUTE)
    stage.tick(MINUTE)
    assert len(walks) == 1


def test_an_edit_meanwhile_is_left_alone(
    stage: Stage, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = stage.found(stage.add(trigger=Cron("0 20 * * *", "Europe/Berlin")))
    stage.tick(HOUR)
    install(EASTWARDS)
    restart(stage)
    walk = stage.store.schedules.walk

    def edited_before_it_is_written(**asked: object) -> object:
        found = walk(**asked)  # type: ignore[arg-type]  # handed on
        stage.edit(schedule, trigger=Cron("0 21 * * *", "Europe/Berlin"))
        return found

    monkeypatch.setattr(stage.store.schedules, "walk", edited_before_it_is_written)
    stage.tick()
    now = stage.found(schedule)
    assert (now.revision, now.cursor) == (2, at("19:00:00"))


def versions(stage: Stage, schedule: str) -> list[tuple[object, str]]:
    """Return since when which rules held for a schedule, newest first."""
    found = stage.store.schedules.versions(TENANT, schedule, until=None, limit=10)
    return [(version.since, version.rules) for version in found]


def test_rules_that_move_nothing_ahead_begin_a_version_and_nothing_else(
    stage: Stage, install: Install
) -> None:
    schedule = nightly(stage)
    soon = nightly(stage, 14)
    # Five seconds before it is due it is made, and offered.
    stage.tick(HOUR - 3 * SECOND)
    find = stage.service.schedules.find
    before = {name: find("default", name) for name in (schedule, soon)}
    worker = stage.worker()
    assert len(stage.poll(worker).offers) == 1
    install(ALIKE)
    restart(stage)
    stage.tick(SECOND)
    for name, found in before.items():
        rules = rules_of(found.definition.trigger)
        assert rules != found.rules
        assert find("default", name) == replace(found, rules=rules)
        assert [told for _, told in versions(stage, name)] == [rules, found.rules]
    assert versions(stage, schedule)[0][0] == at("12:59:57")
    assert versions(stage, soon)[0][0] == at("13:00:00")
    assert instants(stage, soon) == [(at("13:00:00"), RunState.LEASED)]


def test_a_release_that_leaves_a_zone_alone_leaves_its_schedules_alone(
    stage: Stage, install: Install
) -> None:
    schedules = [
        nightly(stage),
        stage.add(trigger=Cron("0 20 * * *")).id,
        stage.add(trigger=Cron("0 20 * * *", "Etc/GMT-1")).id,
        stage.add(trigger=Every(HOUR)).id,
    ]
    stage.tick(HOUR)
    find = stage.service.schedules.find
    found = [find("default", schedule) for schedule in schedules]
    began = [versions(stage, schedule) for schedule in schedules]
    before = release.zone_release()
    install(PRESENT, tokyo="Asia/Hong_Kong")
    assert release.zone_release() != before
    restart(stage)
    stage.tick()
    assert [find("default", schedule) for schedule in schedules] == found
    assert [versions(stage, schedule) for schedule in schedules] == began
    audit = stage.service.audit.span("default", limit=10)
    assert (audit.gaps, audit.unverifiable) == ([], [])


def test_what_waits_for_a_resume_is_audited_by_the_rules_that_settle_it(
    stage: Stage, install: Install
) -> None:
    schedule = nightly(stage, 14)
    stage.service.schedules.pause("default", schedule)
    stage.live(2 * DAY, step=HOUR)
    install(EASTWARDS)
    restart(stage)
    stage.tick(HOUR)
    stage.service.schedules.resume("default", schedule, misfire="all")
    stage.tick(MINUTE)
    due = [at("12:00:00") + DAY, at("12:00:00") + 2 * DAY]
    assert [instant for instant, _ in instants(stage, schedule)] == due
    found = stage.service.audit.span("default", since=at("12:00:00"), limit=10)
    assert (found.checked, found.gaps) == (2, [])
    # It is not known under which rules the time before its cursor passed.
    assert max(part.until for part in found.unverifiable) < at("13:00:00")


def test_the_release_is_told_by_what_the_files_hold(install: Install) -> None:
    present = release.zone_release()
    install(WESTWARDS)
    assert release.zone_release() != present
    install(PRESENT)
    assert release.zone_release() == present
