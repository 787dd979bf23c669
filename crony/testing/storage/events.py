"""What happens is told in order, and forgotten when it is old."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crony.model.event import Event
from crony.model.state import RunState, ScheduleState
from crony.model.worker import Role
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.storage.scene import LEASE_TTL, TENANT, Scene, second


class TestSchedules:
    def test_what_happens_to_a_schedule_is_told(self, store: Store) -> None:
        scene = Scene(store)
        group = scene.group("etl")
        schedule = scene.schedule(group="etl", name="a")
        scene.after(1)
        scene.edit(schedule, group="etl", name="b")
        scene.after(1)
        scene.edit(schedule, group="etl", name="b", paused=True)
        scene.after(1)
        scene.edit(schedule, group="etl", name="b")
        scene.after(1)
        scene.regroup(group, paused=True, carried=False)
        scene.hold(schedule, held=True)
        scene.after(1)
        scene.delete(schedule)
        told = [e for e in scene.events() if e.type.startswith("schedule.")]
        assert [(e.type, (e.at - second(0)).total_seconds()) for e in told] == [
            ("schedule.created", 0),
            ("schedule.updated", 1),
            ("schedule.paused", 2),
            ("schedule.resumed", 3),
            ("schedule.paused", 4),
            ("schedule.deleted", 5),
        ]
        assert {e.subject for e in told} == {e.schedule for e in told} == {schedule.id}
        assert told[0].data == {"id": schedule.id, "name": "a", "revision": 1}
        assert told[1].data == {"id": schedule.id, "name": "b", "revision": 2}
        assert all(event.run is None for event in told)

    def test_a_repeated_creation_is_told_once(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        store.schedules.create(schedule, limit=1, quota=None)
        assert scene.told(schedule.id) == ["schedule.created"]

    @pytest.mark.parametrize("by", ["occurrence", "edit"])
    def test_a_schedule_that_finishes_is_told_after_its_last_occurrence(
        self, store: Store, by: str
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.after(1)
        if by == "edit":
            stored = scene.stored(schedule)
            changed = replace(stored, cursor=None, state=ScheduleState.FINISHED)
            store.schedules.update(
                changed, limit=1, expected=stored, settled=(), now=scene.now
            )
        else:
            item = factories.make_materialisation(schedule, next_cursor=None)
            store.schedules.materialise([item], now=scene.now)
        last = scene.events()[-1]
        assert (last.type, last.subject) == ("schedule.finished", schedule.id)
        assert last.at == scene.now

    def test_the_cursor_alone_is_not_told(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        moved = replace(schedule, cursor=second(2), rules="2026b")
        assert store.schedules.update(
            moved, limit=1, expected=schedule, settled=(), now=scene.now
        )[0]
        assert scene.told(schedule.id) == ["schedule.created"]


class TestWorkers:
    def test_what_happens_to_a_worker_is_told(self, store: Store) -> None:
        scene = Scene(store)
        worker = factories.make_worker(
            name="a", registered_at=second(3), seen_at=second(3)
        )
        key = factories.make_key(role=Role.WORKER)
        store.workers.register(worker, key, quota=None)
        store.workers.drain(TENANT, worker.id, now=second(4))
        store.workers.lose(before=second(5), limit=9, now=second(6))
        store.workers.delete(TENANT, worker.id, now=second(7))
        told = scene.events()
        assert [(e.type, (e.at - second(0)).total_seconds()) for e in told] == [
            ("worker.registered", 3),
            ("worker.draining", 4),
            ("worker.lost", 6),
            ("worker.deleted", 7),
        ]
        assert {(e.subject, e.schedule, e.run) for e in told} == {
            (worker.id, None, None)
        }
        assert told[1].data == {"id": worker.id, "name": "a", "state": "draining"}

    def test_a_poll_or_a_renewal_is_not_told(self, store: Store) -> None:
        scene = Scene(store)
        worker = scene.worker()
        scene.poll(worker)
        store.leases.renew(
            worker.tenant,
            worker.id,
            session="session",
            holding=(),
            now=scene.now,
            lease_ttl=LEASE_TTL,
        )
        assert scene.told(worker.id) == ["worker.registered"]


class TestPage:
    def test_pages_follow_each_other_by_a_sequence_that_grows(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0, 1)
        every = scene.events()
        sequences = [event.sequence for event in every]
        assert sequences == sorted(set(sequences))
        assert sequences[0] > 0
        seen: list[Event] = []
        after = 0
        while page := store.events.page(TENANT, after=after, limit=2):
            assert len(page) <= 2
            seen += page
            after = page[-1].sequence
        assert seen == every

    def test_each_restriction_leaves_out_what_does_not_match(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.tenant("other")
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 0)
        scene.due(scene.schedule(), 1)
        scene.schedule(tenant="other")
        worker = scene.worker()
        scene.start(worker, slots=1)

        def types(*wanted: str, schedule: str | None = None) -> list[str]:
            found = scene.events(types=frozenset(wanted), schedule=schedule)
            return [event.type for event in found]

        assert types("run.running") == ["run.running"]
        assert types("run.*", schedule=schedule.id) == [
            "run.pending",
            "run.leased",
            "run.running",
        ]
        assert types("worker.*", "run.running") == ["worker.registered", "run.running"]
        assert types(schedule=schedule.id)[0] == "schedule.created"
        assert len(types("schedule.*")) == 2
        assert types("run") == []
        assert types("run.running", schedule=run.id) == []
        (other,) = store.events.page("other", after=0, limit=9)
        assert (other.tenant, other.type) == ("other", "schedule.created")

    def test_the_events_of_a_tenant_go_with_it(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant("other")
        scene.delete(scene.schedule(tenant="other"))
        assert store.events.page("other", after=0, limit=9)
        assert store.tenants.delete("other", expected=1)
        scene.tenant("other")
        assert not store.events.page("other", after=0, limit=9)


class TestPrune:
    def test_the_oldest_are_forgotten_and_the_bounds_say_so(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant("other")
        assert store.events.bounds(TENANT) == (0, 0)
        for _ in range(4):
            scene.schedule(created_at=scene.now)
            scene.after(1)
        sequences = [event.sequence for event in scene.events()]
        assert store.events.bounds(TENANT) == (0, sequences[-1])
        assert store.events.prune(before=second(3), limit=2) == 2
        assert [event.sequence for event in scene.events()] == sequences[2:]
        assert store.events.bounds(TENANT) == (sequences[1], sequences[3])
        assert store.events.prune(before=second(3), limit=9) == 1
        assert store.events.prune(before=second(3), limit=9) == 0
        assert store.events.bounds(TENANT) == (sequences[2], sequences[3])
        assert store.events.bounds("other") == (0, 0)

    def test_a_sequence_is_never_used_again(self, store: Store) -> None:
        scene = Scene(store)
        scene.schedule()
        (event,) = scene.events()
        assert store.events.prune(before=second(1), limit=9) == 1
        assert scene.events() == []
        assert store.events.bounds(TENANT) == (event.sequence, 0)
        scene.schedule()
        (later,) = scene.events(after=event.sequence)
        assert later.sequence > event.sequence

    def test_events_of_runs_outlive_the_runs(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 0, state=RunState.MISSED, finished_at=second(0))
        scene.after(1)
        removed = store.runs.prune(
            schedule.tenant,
            schedule.id,
            keep=0,
            before=second(0) - timedelta(days=1),
            now=scene.now,
            limit=9,
        )
        assert removed == 1
        (told,) = (event for event in scene.events() if event.subject == run.id)
        assert told.run == run
