"""What is old is forgotten step by step, and counted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony.model.hook import HookKind
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Origin, Reason, RunState
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.storage.scene import TENANT, Scene, second

AGES_AGO = second(0) - timedelta(days=1)


def ended(scene: Scene, schedule: Schedule, number: int) -> list[Run]:
    """Let so many runs of the schedule end, one each second from now on."""
    worker = scene.worker()
    runs = []
    for _ in range(number):
        start = (scene.now - second(0)).total_seconds()
        runs += scene.due(schedule, start)
        (item,) = scene.start(worker)
        scene.report(worker, item)
        scene.after(1)
    return runs


def hooks_of(scene: Scene, parent: Run, number: int) -> list[str]:
    """Let so many runs of a run's hooks end; return their ids, in that order."""
    worker = scene.worker()
    found = []
    for _ in range(number):
        scene.after(1)
        run = scene.hook(parent, HookKind.PROGRESS)
        (item,) = scene.start(worker)
        scene.report(worker, item)
        found.append(run.id)
    return found


def left(scene: Scene, schedule: Schedule) -> list[str]:
    """Return the ids of the runs that are left, oldest first."""
    return [run.id for run in scene.runs(schedule=schedule.id, oldest_first=True)]


def prune(scene: Scene, schedule: Schedule, **changes: object) -> int:
    """Prune with nothing to keep, unless it is said."""
    asked = {"keep": 0, "before": AGES_AGO, "now": scene.now, "limit": 99, **changes}
    return scene.store.runs.prune(schedule.tenant, schedule.id, **asked)  # type: ignore[arg-type]  # the test's


class TestPrune:
    def test_those_beyond_the_newest_go_the_oldest_first(self, store: Store) -> None:
        scene = Scene(store)
        schedule, other = scene.schedule(), scene.schedule()
        kept = ended(scene, other, 1)
        runs = [run.id for run in ended(scene, schedule, 5)]
        assert prune(scene, schedule, keep=5) == 0
        assert prune(scene, schedule, keep=2, limit=1) == 1
        assert left(scene, schedule) == runs[1:]
        assert prune(scene, schedule, keep=2) == 2
        assert left(scene, schedule) == runs[3:]
        assert prune(scene, schedule, keep=2) == 0
        assert left(scene, other) == [kept[0].id]

    def test_those_that_ended_before_an_instant_go(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        runs = ended(scene, schedule, 4)
        assert prune(scene, schedule, keep=99, before=second(2)) == 2
        assert left(scene, schedule) == [run.id for run in runs[2:]]

    def test_they_go_with_their_attempts_and_output(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        chunk = factories.make_chunk(b"x")
        store.logs.append(
            worker.tenant, worker.id, run.id, item.token, [chunk], head=9, bound=9
        )
        scene.report(worker, item, AttemptState.FAILED)
        assert prune(scene, schedule) == 1
        assert store.runs.find(TENANT, run.id) is None
        assert not store.logs.read(run.tenant, run.id, attempt=1, after=0)[0]
        assert not store.runs.errors(TENANT, [schedule.id], limit=9).get(schedule.id)

    def test_what_has_not_ended_stays(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=9)
        runs = scene.due(schedule, 0, 1, 2, 3)
        worker = scene.worker()
        items = scene.start(worker, slots=2)
        scene.lease(worker, slots=1)
        store.runs.cancel(TENANT, items[0].run, now=scene.now)
        scene.after(9)
        assert prune(scene, schedule, before=scene.now) == 0
        assert left(scene, schedule) == [run.id for run in runs]

    def test_what_is_not_due_yet_stays(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 3)
        store.runs.cancel(TENANT, run.id, now=scene.now)
        scene.after(2.999)
        assert prune(scene, schedule) == 0
        scene.after(0.001)
        assert prune(scene, schedule) == 1

    def test_what_an_unfinished_run_repeats_stays_until_that_has_ended(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        first, other = ended(scene, schedule, 2)
        again = scene.manual(schedule, origin=Origin.RETRY, parent=first.id)
        assert prune(scene, schedule) == 1
        assert left(scene, schedule) == [first.id, again.id]
        assert store.runs.find(TENANT, other.id) is None
        store.runs.cancel(TENANT, again.id, now=scene.now)
        assert prune(scene, schedule) == 2

    def test_what_owes_a_hook_stays_until_that_was_followed(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.due(schedule, 0, hooks=frozenset({HookKind.SUCCESS}))
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.report(worker, item)
        assert prune(scene, schedule) == 0
        store.runs.followed(store.runs.follow_ups(limit=9))
        assert prune(scene, schedule) == 1

    def test_the_runs_of_hooks_take_no_place_of_those_they_follow(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        first, then = ended(scene, schedule, 2)
        hooks = hooks_of(scene, first, 2) + hooks_of(scene, then, 3)
        assert prune(scene, schedule, keep=2) == 0
        assert set(left(scene, schedule)) == {first.id, then.id, *hooks}
        assert prune(scene, schedule, keep=1) == 3
        assert set(left(scene, schedule)) == {then.id, *hooks[2:]}

    def test_the_runs_of_hooks_go_right_before_those_they_follow(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        first, then = ended(scene, schedule, 2)
        _, hook = hooks_of(scene, first, 2)
        assert prune(scene, schedule, limit=1) == 1
        assert set(left(scene, schedule)) == {first.id, then.id, hook}
        assert prune(scene, schedule, limit=2) == 2
        assert left(scene, schedule) == [then.id]
        pruned = store.runs.pruned(schedule.tenant, schedule.id)
        assert pruned is not None
        assert dict(pruned.occurrences) == {RunState.SUCCEEDED: 1}
        assert dict(pruned.others) == {RunState.SUCCEEDED: 2}

    def test_however_old_the_run_of_a_hook_goes_with_its_parent_alone(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.due(schedule, 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        parent = scene.run(item.run)
        (hook,) = hooks_of(scene, parent, 1)
        scene.after(9)
        scene.report(worker, item)
        ended_at = scene.now
        assert prune(scene, schedule, keep=9, before=ended_at) == 0
        assert set(left(scene, schedule)) == {parent.id, hook}
        assert prune(scene, schedule, keep=9, before=scene.after(1)) == 2

    def test_the_run_of_a_hook_whose_parent_is_gone_goes_by_its_own_end(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (parent,) = ended(scene, schedule, 1)
        assert prune(scene, schedule) == 1
        (hook,) = hooks_of(scene, parent, 1)
        assert prune(scene, schedule, keep=1, before=scene.now) == 0
        assert prune(scene, schedule, keep=1, before=scene.after(1)) == 1
        assert store.runs.find(TENANT, hook) is None

    def test_a_withdrawn_run_goes_when_it_can_not_be_due_again(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 3)
        scene.edit(schedule)
        scene.after(9)
        # Its cursor has not come by yet: it may be taken back.
        assert prune(scene, schedule, before=scene.now) == 0
        assert scene.edit(schedule)
        assert prune(scene, schedule, before=second(3)) == 0
        assert prune(scene, schedule, before=second(4)) == 1
        assert store.runs.find(TENANT, run.id) is None
        assert store.runs.pruned(schedule.tenant, schedule.id) is None

    def test_an_occurrence_that_was_pruned_is_not_made_again(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        before = scene.stored(schedule)
        ended(scene, schedule, 1)
        assert prune(scene, schedule) == 1
        item = factories.make_materialisation(before, next_cursor=second(1))
        counted, _ = store.schedules.materialise([item], now=scene.now)
        assert counted == (False,)
        assert left(scene, schedule) == []
        assert scene.stored(schedule).occurrences == 1


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
        living = scene.schedule()
        dead = scene.schedule(tenant="other")
        gone, empty = scene.schedule(), scene.schedule()
        for schedule in (dead, gone):
            scene.due(schedule, 0, state=RunState.MISSED, finished_at=second(0))
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
            (TENANT, empty.id, scene.stored(empty)),
        ]
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
