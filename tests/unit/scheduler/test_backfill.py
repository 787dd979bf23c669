"""Backfill: a run for each occurrence of a span, all or none, once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from crony import errors
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Origin, RunState
from crony.model.trigger import At, Cron, Every
from crony.model.worker import Quotas
from crony.scheduler.backfill import MOST, Backfilled
from crony.testing.factories import make_tenant
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


def backfill(
    stage: Stage,
    schedule: Schedule,
    since: datetime,
    until: datetime,
    *,
    dry_run: bool = False,
    n: str | None = None,
) -> Backfilled:
    """Ask for a span."""
    return stage.service.backfill.span(
        schedule.tenant, schedule.id, since=since, until=until, dry_run=dry_run, n=n
    )


def backfilled(stage: Stage, schedule: Schedule) -> list[Run]:
    """Return the runs that were made so."""
    return [run for run in stage.runs(schedule) if run.origin is Origin.BACKFILL]


def refused(
    stage: Stage, schedule: Schedule, since: datetime, until: datetime
) -> tuple[str, str]:
    """Ask for a span that must be refused; return the pointer and the detail."""
    with pytest.raises(errors.InvalidBody) as caught:
        backfill(stage, schedule, since, until)
    (fault,) = caught.value.faults
    return fault.pointer, fault.detail


def test_each_occurrence_of_the_span_gets_a_run_that_is_due_now(stage: Stage) -> None:
    schedule = stage.add(trigger=Cron("*/10 * * * *"))
    stage.advance(SECOND)
    made = backfill(stage, schedule, at("11:00"), at("11:40"))
    runs = backfilled(stage, schedule)
    assert (made.count, made.since, made.until) == (4, at("11:00"), at("11:40"))
    assert [run.scheduled_for for run in runs] == [
        at(f"11:{minute:02}") for minute in (0, 10, 20, 30)
    ]
    assert {run.due_at for run in runs} == {stage.clock.now()}
    assert all(run.catch_up for run in runs)
    assert {run.id for run in made.runs} == {run.id for run in runs}
    assert [w.ready for w in stage.news if w.ready] != []


def test_they_run_beside_the_record_of_the_occurrence_itself(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    stage.live(MINUTE * 15, step=MINUTE)
    backfill(stage, schedule, at("12:00"), at("12:20"))
    origins = [run.origin.value for run in stage.runs(schedule)]
    assert sorted(origins) == ["backfill", "backfill", "schedule", "schedule"]
    assert stage.found(schedule).occurrences == 2


def test_they_wait_for_each_other_and_a_deadline_ends_none_of_them(
    stage: Stage,
) -> None:
    schedule = stage.add(
        trigger=Cron("*/10 * * * *"), policy=policy(deadline=MINUTE), paused=True
    )
    worker = stage.worker()
    backfill(stage, schedule, at("11:00"), at("11:30"))
    started = []
    for _ in range(3):
        (offer,) = stage.start(worker)
        started.append(offer.run.scheduled_for)
        stage.live(MINUTE * 2, step=SECOND * 10)
        stage.poll(worker, slots=0)
        run = stage.service.runs.find(TENANT, offer.run.id)
        assert run.lost == 1
        stage.service.runs.cancel(TENANT, offer.run.id)
    assert sorted(started) == [at("11:00"), at("11:10"), at("11:20")]
    assert {run.state for run in stage.runs(schedule)} == {RunState.CANCELLED}


def test_a_dry_run_makes_nothing(stage: Stage) -> None:
    schedule = stage.add(trigger=Cron("*/10 * * * *"))
    made = backfill(stage, schedule, at("10:00"), at("12:00"), dry_run=True)
    assert (made.count, len(made.runs), made.dry_run) == (12, 10, True)
    assert backfilled(stage, schedule) == []


def test_the_same_request_makes_the_same_runs(stage: Stage) -> None:
    schedule = stage.add(trigger=Cron("*/10 * * * *"))
    number = stage.service.backfill.new_number()
    first = backfill(stage, schedule, at("11:00"), at("13:00"), n=number)
    stage.advance(MINUTE * 30)
    again = backfill(stage, schedule, at("11:00"), at("13:00"), n=number)
    assert again == first
    assert len(backfilled(stage, schedule)) == first.count == 7
    other = backfill(stage, schedule, at("11:00"), at("13:00"))
    assert other.count == 10


def test_what_lies_ahead_is_left_out(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(MINUTE * 10))
    stage.tick(MINUTE * 15)
    made = backfill(stage, schedule, at("12:00"), at("18:00"))
    assert made.count == 2
    assert made.until == stage.clock.now() + timedelta(milliseconds=1)
    pointer, detail = refused(stage, schedule, at("12:16"), at("12:30"))
    assert pointer == "/from"
    assert "2026-11-20T12:16:00" in detail


def test_a_span_without_an_occurrence_is_refused_with_the_nearest(
    stage: Stage,
) -> None:
    schedule = stage.add(trigger=Cron("0 * * * *"))
    pointer, detail = refused(stage, schedule, at("10:10"), at("10:50"))
    assert pointer == "/from"
    assert "2026-11-20T10:00:00.000Z before" in detail
    assert "2026-11-20T11:00:00.000Z after" in detail


def test_a_span_that_ends_before_it_begins_is_refused(stage: Stage) -> None:
    schedule = stage.add()
    assert refused(stage, schedule, at("11:00"), at("11:00"))[0] == "/to"


def test_more_than_a_bound_is_refused_and_nothing_made(stage: Stage) -> None:
    schedule = stage.add(trigger=Cron("* * * * * *"))
    long = at("12:00") - SECOND * (MOST + 1)
    pointer, detail = refused(stage, schedule, long, at("12:00"))
    assert pointer == "/to"
    assert f"{MOST + 1}" in detail
    assert backfilled(stage, schedule) == []


def test_the_quota_counts_all_of_them_or_lets_none_in(stage: Stage) -> None:
    small = make_tenant(name="small", quotas=Quotas(pending_runs=3))
    assert stage.store.tenants.put(small, expected=None)
    schedule, _ = stage.service.schedules.create(
        "small", stage.add(trigger=Cron("*/10 * * * *")).definition
    )
    with pytest.raises(errors.QuotaExceeded):
        backfill(stage, schedule, at("11:00"), at("11:40"))
    assert stage.store.tenants.usage("small").pending_runs == 1
    assert backfill(stage, schedule, at("11:00"), at("11:20")).count == 2


def test_bounds_of_the_schedule_hold_and_its_creation_does_not(stage: Stage) -> None:
    schedule = stage.add(
        trigger=Cron("0 0 * * *"),
        start_at=at("00:00") - DAY * 3,
        end_at=at("23:00") + DAY,
    )
    made = backfill(stage, schedule, at("00:00") - DAY * 10, at("12:00"))
    assert made.count == 4
    single = stage.add(trigger=At(at("15:00")))
    assert refused(stage, single, at("11:00"), at("12:00"))[0] == "/from"


def test_a_schedule_that_is_gone_is_not_found(stage: Stage) -> None:
    schedule = stage.add()
    stage.delete(schedule)
    with pytest.raises(errors.NotFound):
        backfill(stage, schedule, at("11:00"), at("12:00"))


def test_the_ledger_and_the_audit_know_nothing_of_them(stage: Stage) -> None:
    schedule = stage.add(trigger=Every(HOUR * 5))
    stage.tick(SECOND)
    before = stage.service.ledger.page(TENANT, schedule.id, limit=100)
    stage.service.backfill.span(
        TENANT, schedule.id, since=at("12:00"), until=at("12:01"), dry_run=False
    )
    assert stage.service.ledger.page(TENANT, schedule.id, limit=100) == before
    assert stage.service.audit.span(TENANT, limit=10).gaps == []
