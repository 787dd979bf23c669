"""The ledger: every occurrence of a span in order, and how it ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony import errors
from crony.model.schedule import Schedule
from crony.model.state import Reason, RunState
from crony.model.trigger import At, Every
from crony.scheduler.accounts import Beyond, Entry
from crony.scheduler.ledger import LedgerPage
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


def page(stage: Stage, schedule: Schedule, **members: object) -> LedgerPage:
    """Read a page of the ledger."""
    facts: dict[str, object] = {"limit": 1000} | members
    return stage.service.ledger.page(TENANT, schedule.id, **facts)  # type: ignore[arg-type]


def entries(
    stage: Stage, schedule: Schedule, since: str, until: str
) -> list[tuple[str, str, int]]:
    """Read a span of the ledger: instant, state, count."""
    found = page(stage, schedule, since=at(since), until=at(until))
    assert found.next is None
    return [short(entry) for entry in found.items]


def short(entry: Entry) -> tuple[str, str, int]:
    return f"{entry.at:%H:%M}", entry.state.value, entry.count


def test_past_and_future_follow_each_other_without_a_hole(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    worker = stage.worker()
    (offer,) = stage.start(worker)
    stage.end(worker, offer)
    stage.live(MINUTE * 25, step=MINUTE)
    assert entries(stage, schedule, "11:00", "12:50") == [
        ("12:00", "succeeded", 1),
        ("12:10", "pending", 1),
        ("12:20", "pending", 1),
        ("12:30", "upcoming", 1),
        ("12:40", "upcoming", 1),
    ]


def test_the_span_is_a_day_back_and_a_day_ahead_unless_said(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(HOUR))
    stage.live(DAY * 2, step=HOUR)
    found = page(stage, schedule).items
    assert [entry.at for entry in found] == [
        stage.clock.now() + HOUR * n for n in range(-24, 24)
    ]


def test_an_endless_future_comes_in_pages(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(SECOND))
    first = page(stage, schedule, until=at("12:00") + DAY * 300, limit=300)
    second = page(
        stage, schedule, until=at("12:00") + DAY * 300, limit=300, after=first.next
    )
    instants = [entry.at for entry in first.items + second.items]
    assert instants == [at("12:00") + SECOND * n for n in range(600)]
    assert second.next is not None


def test_pages_of_one_see_what_one_page_sees(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10), policy=policy(misfire="none"))
    stage.tick()
    stage.advance(HOUR)
    stage.tick()
    stage.service.schedules.pause(TENANT, schedule.id)
    stage.advance(HOUR)
    since, until = at("11:00"), at("15:00")
    whole = page(stage, schedule, since=since, until=until)
    single = []
    after = None
    while True:
        found = page(stage, schedule, since=since, until=until, limit=1, after=after)
        single += found.items
        after = found.next
        if after is None:
            break
    assert single == list(whole.items)
    assert len(single) > 5


def test_what_was_missed_is_one_stretch(stage: Stage) -> None:
    schedule = stage.add(policy=policy(misfire="none"))
    stage.live(SECOND * 2)
    stage.advance(MINUTE * 30)
    stage.tick()
    assert entries(stage, schedule, "11:00", "12:32") == [
        ("12:00", "pending", 1),
        ("12:01", "missed", 30),
        ("12:31", "upcoming", 1),
    ]


def test_a_span_that_begins_within_a_stretch_shows_it(stage: Stage) -> None:
    schedule = stage.add(policy=policy(misfire="none"))
    stage.live(SECOND * 2)
    stage.advance(MINUTE * 30)
    stage.tick()
    found = page(stage, schedule, since=at("12:10"), until=at("12:11"))
    (entry,) = found.items
    assert (entry.at, entry.until) == (at("12:01"), at("12:30:00"))


def test_a_pause_that_goes_on_is_one_stretch_and_what_follows_is_to_come(
    stage: Stage,
) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    stage.tick(SECOND)
    stage.service.schedules.pause(TENANT, schedule.id)
    stage.live(MINUTE * 35, step=MINUTE)
    found = page(stage, schedule, since=at("12:05"), until=at("12:45")).items
    assert [short(entry) for entry in found] == [
        ("12:10", "skipped", 3),
        ("12:40", "upcoming", 1),
    ]
    assert {entry.reason for entry in found} == {Reason.PAUSED}
    stage.service.schedules.resume(TENANT, schedule.id)
    (written, _) = page(stage, schedule, since=at("12:05"), until=at("12:45")).items
    assert short(written) == ("12:10", "skipped", 3)
    assert written.run is not None


def test_a_paused_group_pauses_what_is_to_come(stage: Stage) -> None:
    stage.group("reports")
    schedule = stage.add(trigger=Every(MINUTE * 10), group="reports")
    stage.tick(SECOND)
    stage.service.groups.pause(TENANT, "reports")
    stage.live(MINUTE * 15, step=MINUTE)
    assert entries(stage, schedule, "12:05", "12:15") == [("12:10", "skipped", 1)]


def test_each_entry_names_the_revision_it_was_due_under(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    stage.tick(MINUTE * 11)
    stage.edit(schedule, trigger=Every(MINUTE * 15))
    stage.live(MINUTE * 10, step=MINUTE)
    found = page(stage, schedule, since=at("11:00"), until=at("12:50")).items
    assert [(f"{e.at:%H:%M}", e.revision) for e in found] == [
        ("12:00", 1),
        ("12:10", 1),
        ("12:15", 2),
        ("12:30", 2),
        ("12:45", 2),
    ]


def test_max_runs_ends_what_is_to_come(stage: Stage) -> None:
    schedule = stage.add(max_runs=3)
    assert entries(stage, schedule, "11:00", "13:00") == [
        ("12:00", "pending", 1),
        ("12:01", "upcoming", 1),
        ("12:02", "upcoming", 1),
    ]
    stage.live(MINUTE * 5, step=MINUTE)
    assert len(entries(stage, schedule, "11:00", "13:00")) == 3


def test_an_instant_that_had_passed_when_it_was_asked_for_is_there(
    stage: Stage,
) -> None:
    schedule = stage.add(trigger=At(at("11:30")))
    stage.tick()
    assert entries(stage, schedule, "11:00", "13:00") == [("11:30", "pending", 1)]


def test_what_nothing_has_ticked_for_yet_is_due(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    stage.tick(SECOND)
    stage.advance(MINUTE * 25)
    assert entries(stage, schedule, "12:05", "12:35") == [
        ("12:10", "due", 2),
        ("12:30", "upcoming", 1),
    ]


def test_what_was_pruned_is_counted(stage: Stage) -> None:
    schedule = stage.add(policy=policy(max_concurrent=20))
    worker = stage.worker(slots=20)
    for _ in range(10):
        for offer in stage.start(worker, slots=20):
            stage.end(worker, offer)
        stage.tick(MINUTE)
    stage.store.runs.prune(
        schedule.tenant,
        schedule.id,
        keep=4,
        before=at("00:00"),
        now=stage.clock.now(),
        limit=100,
    )
    found = page(stage, schedule, since=at("11:00"), until=at("12:10"))
    first, *others = found.items
    assert first.state is Beyond.PRUNED
    assert (first.at, first.until, first.count) == (at("12:00"), at("12:05"), 6)
    assert {entry.state for entry in others} == {RunState.SUCCEEDED}
    assert found.pruned is not None
    assert found.pruned.occurrences == {RunState.SUCCEEDED: 6}


def test_a_deleted_schedule_is_read_by_its_id(stage: Stage) -> None:
    schedule = stage.add(name="gone", trigger=Every(MINUTE * 10))
    worker = stage.worker()
    (offer,) = stage.start(worker)
    stage.end(worker, offer)
    stage.live(MINUTE * 12, step=MINUTE)
    stage.delete(schedule)
    assert entries(stage, schedule, "11:00", "13:00") == [
        ("12:00", "succeeded", 1),
        ("12:10", "cancelled", 1),
    ]
    with pytest.raises(errors.NotFound):
        stage.service.ledger.page("other", schedule.id, limit=10)


def test_a_schedule_that_is_not_there_is_not_found(stage: Stage) -> None:
    with pytest.raises(errors.NotFound):
        stage.service.ledger.page(TENANT, "nothing", limit=10)


def test_hand_made_runs_are_no_occurrences(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(timedelta(hours=2)))
    stage.tick(MINUTE)
    stage.service.runs.trigger(TENANT, schedule.id)
    assert entries(stage, schedule, "11:00", "13:00") == [("12:00", "pending", 1)]


@pytest.mark.parametrize("value", [None, "x", -1, 10**20])
def test_a_place_that_makes_no_sense_is_refused(
    stage: Stage, value: str | int | None
) -> None:
    schedule = stage.add()
    with pytest.raises(errors.InvalidParameter):
        page(stage, schedule, after=(value, schedule.id))
