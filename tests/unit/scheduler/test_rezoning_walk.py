"""The walk after a new release is made once, and leaves alone what does not move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crony.model.state import RunState
from crony.model.trigger import Cron, Every
from crony.scheduler import rezoning
from crony.triggers import release, rules_of
from tests.unit.scheduler.releases import (
    ALIKE,
    EASTWARDS,
    PRESENT,
    WESTWARDS,
    Install,
    installing,
    instants,
    nightly,
    restart,
)
from tests.unit.scheduler.stage import DAY, HOUR, MINUTE, SECOND, TENANT, Stage, at


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    with installing(tmp_path) as install:
        yield install


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
