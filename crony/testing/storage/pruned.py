"""What was pruned is counted, and schedules with anything left are walked."""

from __future__ import annotations

from crony.model.schedule import Schedule
from crony.model.state import Reason, RunState
from crony.storage.contract import Store
from crony.testing.storage.retention import ended, left, prune
from crony.testing.storage.scene import TENANT, Scene, second


class TestPruned:
    def test_what_is_removed_is_counted_by_its_end(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        assert store.runs.pruned(schedule.tenant, schedule.id) is None
        ended(scene, schedule, 2)
        by_hand = scene.manual(schedule, scheduled_for=second(1))
        store.runs.cancel(TENANT, by_hand.id, now=scene.now)
        assert prune(scene, schedule, limit=2) == 2
        first = store.runs.pruned(schedule.tenant, schedule.id)
        assert first is not None
        assert first.until == second(1)
        assert dict(first.occurrences) == {RunState.SUCCEEDED: 2}
        assert dict(first.others) == {}
        scene.due(
            schedule,
            3,
            state=RunState.MISSED,
            reason=Reason.MISFIRE,
            range_until=second(8),
            range_count=6,
            finished_at=second(8),
        )
        scene.after(9)
        assert prune(scene, schedule) == 2
        pruned = store.runs.pruned(schedule.tenant, schedule.id)
        assert pruned is not None
        assert pruned.until == second(8)
        assert dict(pruned.occurrences) == {RunState.SUCCEEDED: 2, RunState.MISSED: 6}
        assert dict(pruned.others) == {RunState.CANCELLED: 1}
        # Occurrences count towards ``max_runs`` whether they are kept or not.
        assert scene.stored(schedule).occurrences == 8

    def test_with_the_last_run_of_a_deleted_schedule_all_of_it_goes(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(name="a")
        ended(scene, schedule, 2)
        scene.due(schedule, 5)
        scene.edit(schedule, name="a")
        scene.delete(schedule)
        assert prune(scene, schedule, limit=1) == 1
        assert store.schedules.definition(schedule.tenant, schedule.id, 2) is not None
        assert store.schedules.versions(
            schedule.tenant, schedule.id, until=None, limit=9
        )
        # The withdrawn one, which nothing will take back, goes as well.
        assert prune(scene, schedule) == 2
        for revision in (1, 2):
            assert (
                store.schedules.definition(schedule.tenant, schedule.id, revision)
                is None
            )
        assert not store.schedules.versions(
            schedule.tenant, schedule.id, until=None, limit=9
        )
        assert left(scene, schedule) == []
        assert not store.schedules.create(schedule, limit=1, quota=None)

    def test_a_schedule_that_lives_keeps_its_definitions(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        ended(scene, schedule, 1)
        assert prune(scene, schedule) == 1
        assert (
            store.schedules.definition(schedule.tenant, schedule.id, 1)
            == schedule.definition
        )
        assert (
            len(
                store.schedules.versions(
                    schedule.tenant, schedule.id, until=None, limit=9
                )
            )
            == 1
        )


class TestPrunable:
    def test_schedules_with_anything_left_are_walked_once_by_tenant(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.tenant("other")
        living, dead = scene.schedule(), scene.schedule(tenant="other")
        gone, idle = scene.schedule(), scene.schedule()
        for schedule in (living, dead, gone):
            scene.due(schedule, 0, state=RunState.MISSED, finished_at=second(0))
        for schedule in (dead, gone):
            scene.delete(schedule)
        assert prune(scene, gone) == 1
        met: list[tuple[str, str, Schedule | None]] = []
        after = None
        for _ in range(9):
            page, after = store.runs.prunable(limit=1, after=after)
            assert len(page) <= 1
            met += page
            if after is None:
                break
        expected = [
            (TENANT, living.id, scene.stored(living)),
            ("other", dead.id, None),
        ]
        assert idle.id not in {name for _, name, _ in met}
        assert met == sorted(expected, key=lambda item: item[:2])

    def test_a_deleted_schedule_that_never_ran_is_met_until_it_was_pruned(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.delete(schedule)
        assert store.runs.prunable(limit=9, after=None)[0]
        prune(scene, schedule)
        assert not store.runs.prunable(limit=9, after=None)[0]
        assert store.schedules.definition(schedule.tenant, schedule.id, 1) is None
