"""What the records of a schedule say: of an instant, and in order."""

from __future__ import annotations

import pytest

from crony.model.state import Reason, RunState
from crony.storage.contract import Store
from crony.testing.storage.retention import ended
from crony.testing.storage.scene import Scene, second


class TestStandingAt:
    def test_the_newest_record_at_or_before_the_instant_is_told(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        first, then = scene.due(schedule, 1, 3)
        scene.manual(schedule, scheduled_for=second(2))
        scene.due(scene.schedule(), 2)

        def standing(at: float) -> str | None:
            run = store.runs.standing_at(schedule.tenant, schedule.id, second(at))
            return None if run is None else run.id

        assert standing(0.999) is None
        assert standing(1) == first.id
        assert standing(2.5) == first.id
        assert standing(3) == then.id
        assert standing(99) == then.id

    def test_a_withdrawn_one_stands_for_nothing(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        first, _ = scene.due(schedule, 0, 3)
        scene.edit(schedule)
        found = store.runs.standing_at(schedule.tenant, schedule.id, second(3))
        assert found is not None
        assert found.id == first.id

    def test_it_is_a_summary_with_its_range(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (stretch,) = scene.due(
            schedule,
            1,
            state=RunState.SKIPPED,
            reason=Reason.PAUSED,
            range_until=second(9),
            range_count=9,
            finished_at=second(9),
        )
        assert (
            store.runs.standing_at(schedule.tenant, schedule.id, second(5)) == stretch
        )
        scene.after(20)
        (run,) = ended(scene, schedule, 1)
        found = store.runs.standing_at(schedule.tenant, schedule.id, second(99))
        assert found is not None
        assert (found.id, found.attempts) == (run.id, ())


class TestOldestFirst:
    @pytest.mark.parametrize("oldest_first", [True, False])
    def test_a_list_may_be_turned_round(
        self, store: Store, *, oldest_first: bool
    ) -> None:
        scene = Scene(store)
        runs = scene.due(scene.schedule(), 1, 2, 3) + scene.due(scene.schedule(), 2)
        expected = sorted(
            runs, key=lambda r: (r.scheduled_for, r.id), reverse=not oldest_first
        )
        shown = scene.runs(oldest_first=oldest_first)
        assert [run.id for run in shown] == [run.id for run in expected]
