"""What is old is forgotten step by step."""

from __future__ import annotations

from datetime import timedelta

from crony.model.hook import HookKind
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Origin, RunState
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
