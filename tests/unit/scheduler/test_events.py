"""Events are read from a position on, and nothing is passed over unsaid."""

from __future__ import annotations

import pytest

from crony import errors
from crony.model import ids
from crony.model.event import FILTERS, TYPES
from crony.model.trigger import At
from crony.scheduler.events import Events, event_id, told
from crony.scheduler.rendering import summary
from crony.testing.clock import START
from tests.unit.scheduler.stage import DAY, SECOND, TENANT, Stage

LATER = At(START + DAY)


@pytest.fixture
def events(stage: Stage) -> Events:
    return Events(stage.store, stage.clock)


def test_what_happens_is_told_as_cloud_events(stage: Stage, events: Events) -> None:
    schedule = stage.add(name="a", trigger=LATER)
    run = stage.service.runs.trigger(TENANT, "a", overrides=None, n=None)
    worker = stage.worker(name="w")
    look = events.look(TENANT, after=0, limit=100)
    said = [told(event) for event in look.events]
    assert [each["type"] for each in said] == [
        "schedule.created",
        "run.pending",
        "worker.registered",
    ]
    assert [each["subject"] for each in said] == [schedule.id, run.id, worker.id]
    assert said[0] == {
        "specversion": "1.0",
        "id": event_id(look.events[0]),
        "source": "urn:crony:tenant:default",
        "type": "schedule.created",
        "subject": schedule.id,
        "time": "2026-11-20T12:00:00.000Z",
        "datacontenttype": "application/json",
        "data": {"id": schedule.id, "name": "a", "revision": 1},
    }
    assert said[1]["data"] == summary(run)
    assert said[2]["data"] == {"id": worker.id, "name": "w", "state": "online"}
    identities = [str(each["id"]) for each in said]
    assert sorted(identities) == identities


def test_reading_goes_on_where_it_ended(stage: Stage, events: Events) -> None:
    for number in range(5):
        stage.worker(name=f"w-{number}")
    first = events.look(TENANT, after=None, limit=3)
    assert (len(first.events), first.more) == (3, True)
    mark = events.mark(first)
    assert mark == event_id(first.events[-1])
    second = events.look(TENANT, after=ids.event_sequence(mark), limit=3)
    assert (len(second.events), second.more) == (2, False)
    third = events.look(TENANT, after=second.position, limit=3)
    assert third.events == ()
    assert ids.event_sequence(events.mark(third)) == second.position


def test_what_is_not_asked_for_is_passed_over_once(
    stage: Stage, events: Events
) -> None:
    stage.add(trigger=LATER)
    stage.worker()
    look = events.look(TENANT, after=0, limit=10, types=frozenset({"run.*"}))
    assert look.events == ()
    assert look.position == events.newest(TENANT) > 0


def test_events_of_one_schedule_are_found_also_when_it_is_gone(
    stage: Stage, events: Events
) -> None:
    schedule = stage.add(name="a", trigger=LATER)
    stage.add(name="b", trigger=LATER)
    stage.delete(schedule)
    assert events.schedule(TENANT, "b")
    reference = events.schedule(TENANT, schedule.id)
    look = events.look(TENANT, after=0, limit=10, schedule=reference)
    types = [event.type for event in look.events]
    assert types == ["schedule.created", "schedule.deleted"]
    with pytest.raises(errors.NotFound):
        events.schedule(TENANT, "a")


def test_what_was_pruned_is_said_to_be_gone(stage: Stage, events: Events) -> None:
    stage.worker(name="a")
    stage.advance(SECOND)
    stage.worker(name="b")
    stage.store.events.prune(before=START + SECOND, limit=10)
    with pytest.raises(errors.EventsPruned, match="no longer kept"):
        events.look(TENANT, after=0, limit=10)
    oldest = events.look(TENANT, after=None, limit=10)
    (event,) = oldest.events
    assert event.at == START + SECOND
    assert events.look(TENANT, after=event.sequence, limit=10).events == ()


def test_a_tenant_whose_events_are_all_pruned_keeps_its_position(
    stage: Stage, events: Events
) -> None:
    stage.worker()
    newest = events.newest(TENANT)
    stage.advance(SECOND)
    stage.store.events.prune(before=stage.clock.now(), limit=10)
    assert events.newest(TENANT) == newest
    look = events.look(TENANT, after=newest, limit=10)
    assert (look.events, look.position) == ((), newest)


def test_a_position_that_nothing_has_reached_is_refused(
    stage: Stage, events: Events
) -> None:
    stage.worker()
    newest = events.newest(TENANT)
    assert events.look(TENANT, after=newest, limit=10).position == newest
    with pytest.raises(errors.EventsPruned, match="no such event here"):
        events.look(TENANT, after=newest + 1, limit=10)


def test_every_type_can_be_asked_for_and_all_of_a_noun() -> None:
    assert {"run.*", "schedule.*", "worker.*", *TYPES} == set(FILTERS)
    for word in ("run.lost", "run.timed_out", "schedule.finished", "worker.draining"):
        assert word in TYPES
