"""Occurrences become runs, once, and the cursor moves with them."""

from __future__ import annotations

from dataclasses import replace

from crony.model.state import Reason, RunState, ScheduleState
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.storage.scene import TENANT, Scene, second


class TestMaterialise:
    def test_the_run_is_inserted_and_the_cursor_moves_in_one_step(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        item = factories.make_materialisation(schedule)
        counted, ready = store.schedules.materialise([item], now=scene.now)
        assert counted == (True,)
        assert ready == {(TENANT, "default")}
        assert scene.run(item.runs[0]) == item.runs[0]
        stored = scene.stored(schedule)
        assert (stored.cursor, stored.occurrences) == (item.next_cursor, 1)
        assert stored.revision == schedule.revision

    def test_the_same_step_again_does_not_count(self, store: Store) -> None:
        scene = Scene(store)
        item = factories.make_materialisation(scene.schedule())
        counted, _ = store.schedules.materialise([item, item], now=scene.now)
        assert counted == (True, False)
        assert len(scene.runs()) == 1

    def test_one_that_does_not_count_leaves_the_others_alone(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        good, edited, paused, unknown = (scene.schedule() for _ in range(4))
        scene.edit(edited)
        scene.edit(paused, state=ScheduleState.PAUSED)
        paused = replace(scene.stored(paused), state=ScheduleState.ACTIVE)
        items = [
            factories.make_materialisation(of)
            for of in (edited, paused, good, replace(unknown, cursor=second(7)))
        ]
        counted, _ = store.schedules.materialise(items, now=scene.now)
        assert counted == (False, False, True, False)
        assert [run.schedule for run in scene.runs()] == [good.id]

    def test_two_steps_of_one_schedule_follow_each_other(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        first = factories.make_materialisation(schedule)
        second_step = factories.make_materialisation(
            replace(schedule, cursor=first.next_cursor)
        )
        counted, _ = store.schedules.materialise([first, second_step], now=scene.now)
        assert counted == (True, True)
        assert scene.stored(schedule).cursor == second_step.next_cursor
        assert scene.stored(schedule).occurrences == 2

    def test_no_next_cursor_finishes_the_schedule(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        item = factories.make_materialisation(schedule, next_cursor=None)
        store.schedules.materialise([item], now=scene.now)
        assert scene.stored(schedule).state is ScheduleState.FINISHED
        assert scene.stored(schedule).cursor is None

    def test_an_existing_run_is_left_as_it_is(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 1)
        stored = scene.stored(schedule)
        item = factories.make_materialisation(stored, runs=(replace(run, priority=9),))
        counted, _ = store.schedules.materialise([item], now=scene.now)
        assert counted == (True,)
        assert scene.run(run).priority == 0
        assert scene.stored(schedule).occurrences == 1

    def test_a_withdrawn_run_is_taken_back_under_the_new_revision(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 3)
        worker = scene.worker()
        scene.lease(worker)
        scene.edit(schedule, queue="slow")
        (again,) = scene.due(schedule, 3)
        assert again.id == run.id
        back = scene.run(run)
        assert back.state is RunState.PENDING
        assert (back.revision, back.queue) == (2, "slow")
        # The token goes on, so that the old offer stays worthless.
        assert (back.token, back.attempt) == (1, 0)
        assert scene.stored(schedule).occurrences == 1
        slow = scene.worker(queues=("slow",))
        (offer,) = scene.lease(slow)
        assert (offer.token, offer.attempt) == (2, 1)

    def test_a_stretch_of_missed_occurrences_is_one_record_with_its_count(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(
            schedule,
            1,
            state=RunState.MISSED,
            reason=Reason.MISFIRE,
            range_until=second(9),
            range_count=9,
            finished_at=scene.now,
        )
        assert scene.run(run) == run
        assert scene.stored(schedule).occurrences == 9
        assert not scene.leased(scene.worker())
