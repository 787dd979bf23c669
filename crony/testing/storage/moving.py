"""Moving house: what was in one store is in the other, and nothing fires twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest

from crony import errors
from crony.model import ids
from crony.model.hook import FollowUp, HookKind
from crony.model.lease import Holding, Standing
from crony.model.moving import MovedRun, MovedSchedule, Pruned
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Origin, Reason, RunState, ScheduleState
from crony.storage import open_store
from crony.storage.contract import Page, Position, Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import LINE, TENANT, Scene, second

Item = TypeVar("Item")

_PAGE = 7


def read(
    page: Callable[[Position | None], Page[Item]], *, limit: int = _PAGE
) -> list[Item]:
    """Return all of a list, page by page."""
    found: list[Item] = []
    after: Position | None = None
    for _ in range(999):
        got = page(after)
        assert len(got.items) <= limit
        found += got.items
        if got.next is None:
            return found
        after = got.next
    raise AssertionError("the list has no end")


def schedules(
    store: Store, *, tenant: str = TENANT, limit: int = _PAGE
) -> list[MovedSchedule]:
    """Return all schedules that move."""
    return read(
        lambda after: store.moving.schedules(tenant, limit=limit, after=after),
        limit=limit,
    )


def runs(store: Store, *, tenant: str = TENANT, limit: int = _PAGE) -> list[MovedRun]:
    """Return all runs that move."""
    return read(
        lambda after: store.moving.runs(tenant, limit=limit, after=after), limit=limit
    )


def move(source: Store, target: Store, *, tenant: str = TENANT) -> None:
    """Put all of a tenant into another store."""
    for group in source.groups.page(tenant, limit=99, after=None).items:
        stored = target.groups.find(tenant, group.name)
        target.groups.put(group, expected=stored.revision if stored else None)
    for profile in source.profiles.page(tenant, limit=99, after=None).items:
        target.profiles.put(profile, expected=None)
    moved = schedules(source, tenant=tenant)
    assert list(target.moving.put_schedules(moved)) == [True] * len(moved)
    left = runs(source, tenant=tenant)
    assert list(target.moving.put_runs(left)) == [True] * len(left)


@pytest.fixture
def scene(store: Store) -> Scene:
    """The store that things move into."""
    return Scene(store)


@pytest.fixture
def source() -> Scene:
    """Another store, that things move out of."""
    store = open_store("memory://")
    store.migrate()
    store.open()
    return Scene(store)


def fill(scene: Scene) -> dict[str, Schedule]:
    """Let much happen, and nothing be in a worker's hands."""
    scene.group("etl", max_concurrent=3)
    scene.profile("slow")
    scene.hold(scene.schedule(name="held"), held=False)
    made = {
        "one": scene.schedule(
            name="one", limit=9, group="etl", labels={"team": "a.b$c"}
        ),
        "two": scene.schedule(name="two", limit=2, profile="slow"),
        "done": scene.schedule(cursor=None, state=ScheduleState.FINISHED),
        "dead": scene.schedule(name="dead"),
        "gone": scene.schedule(name="gone"),
    }
    worker = scene.worker(slots=99)
    _ended(scene, made["one"], worker_id=worker.id)
    _unfinished(scene, made["two"])
    scene.due(made["dead"], 0, state=RunState.MISSED, finished_at=second(0))
    scene.edit(made["dead"], name="dead", description="again")
    for name in ("dead", "gone"):
        scene.delete(made[name])
    return made


def _ended(scene: Scene, one: Schedule, *, worker_id: str) -> None:
    """Leave runs that have ended in all kinds of ways, hooks of them, and output."""
    store = scene.store
    worker = store.workers.find(TENANT, worker_id)
    assert worker is not None
    hooks = frozenset({HookKind.ERROR, HookKind.SUCCESS})
    first, second_, third = scene.due(one, 0, 1, 2, hooks=hooks, group="etl")
    items = {item.run: item for item in scene.start(worker)}
    _write(scene, worker_id, items[first.id])
    entry = factories.make_progress(first.id, percent=12.5, message="so weit – gut")
    store.leases.progress(TENANT, worker_id, items[first.id].token, entry)
    usage: dict[str, object] = {"cpu": "1.5s", "a.b": [1, None, {"$c": "\u2028"}]}
    scene.report(
        worker,
        items[first.id],
        result={"$set": [0.1, -1, None, "\x00é"], "a.b": {}},
        usage=usage,
        limits={"memory": "1GiB"},
        exit_code=0,
        lateness=timedelta(microseconds=1501),
        duration=timedelta(seconds=1),
        sandbox_level="full",
    )
    scene.report(
        worker,
        items[second_.id],
        AttemptState.FAILED,
        error="no\nsuch file",
        exit_code=7,
    )
    scene.report(
        worker,
        items[third.id],
        AttemptState.TIMED_OUT,
        retry_at=scene.now + timedelta(hours=1),
        signal="SIGKILL",
    )
    hook = scene.hook(scene.run(second_), HookKind.ERROR)
    (item,) = scene.start(worker)
    scene.report(worker, item, says="it was the disk")
    assert scene.run(hook).state is RunState.SUCCEEDED
    owed = store.runs.follow_ups(limit=9)
    store.runs.followed([each for each in owed if each.run == second_.id])
    stretch = factories.make_run(
        scene.stored(one),
        scheduled_for=second(3),
        range_until=second(9),
        range_count=4,
        state=RunState.MISSED,
        reason=Reason.MISFIRE,
        finished_at=second(9),
    )
    moved = factories.make_materialisation(
        scene.stored(one), next_cursor=second(10), runs=(stretch,)
    )
    assert store.schedules.materialise([moved], now=scene.now)[0] == (True,)
    before = second(-1)
    scene.manual(one, state=RunState.CANCELLED, finished_at=before, group="etl")
    pruned = store.runs.prune(
        TENANT, one.id, keep=3, before=second(-9), now=second(99), limit=99
    )
    assert pruned == 1


def _write(scene: Scene, worker: str, item: Holding) -> None:
    """Write more output than is kept, on two streams."""
    position = {"stdout": 0, "stderr": 0}
    for number in range(12):
        stream = "stderr" if number == 1 else "stdout"
        data = bytes([number, 0, 255 - number]) * 4
        chunk = factories.make_chunk(data, stream=stream, offset=position[stream])
        position[stream] += len(data)
        scene.store.logs.append(
            TENANT, worker, item.run, item.token, [chunk], head=10, bound=50
        )


def _unfinished(scene: Scene, two: Schedule) -> None:
    """Leave runs that wait: lost once, withdrawn, to come, triggered by hand."""
    store = scene.store
    worker = scene.worker(name="host-b", slots=1)
    lost, *_ = scene.due(two, 10, 11, 12)
    scene.after(10)
    (item,) = scene.start(worker, slots=1)
    assert item.run == lost.id
    scene.after(3600)
    store.leases.expire(now=scene.now, limit=9, include_leases=True)
    assert scene.run(lost).lost == 1
    ahead = scene.now - START + timedelta(seconds=60)
    scene.due(two, ahead / timedelta(seconds=1), overlap="skip")
    scene.edit(two, name="two", limit=2, description="a second revision")
    scene.manual(
        two,
        revision=2,
        overrides={"env": {"A.B": "$x"}},
        deadline_at=scene.now + timedelta(days=1),
        priority=3,
    )
    states = {run.state for run in scene.runs(schedule=two.id)}
    assert states == {RunState.PENDING, RunState.WITHDRAWN}


def looks(names: Sequence[str], source: Scene) -> list[Callable[[Store], object]]:
    """Return ways to look at schedules, and at what there is of them."""
    return [
        lambda s: s.runs.recent(TENANT, names, limit=9),
        lambda s: s.runs.errors(TENANT, names, limit=9),
        lambda s: s.runs.progress(TENANT, names, limit=9),
        lambda s: [s.schedules.find(TENANT, name) for name in (*names, "one", "x")],
        lambda s: [s.runs.pruned(TENANT, name) for name in names],
        lambda s: [s.schedules.definition(TENANT, name, 2) for name in names],
        lambda s: [s.runs.standing_at(TENANT, name, second(5)) for name in names],
        lambda s: [
            list(s.schedules.versions(TENANT, name, until=None, limit=9))
            for name in names
        ],
        lambda s: s.tenants.usage(TENANT).pending_runs,
        lambda s: s.tenants.usage(TENANT).schedules,
        lambda s: s.stats(TENANT, now=source.now).schedules,
        lambda s: s.stats(TENANT, now=source.now).pending,
        lambda s: s.leases.earliest(),
        lambda s: s.groups.schedules(TENANT, ["default", "etl"]),
        lambda s: s.profiles.uses(TENANT, ["slow"]),
    ]


class TestRoundTrip:
    @pytest.mark.parametrize("limit", [1, 2, 99])
    def test_all_that_was_put_is_read_back_page_by_page(
        self, scene: Scene, source: Scene, limit: int
    ) -> None:
        fill(source)
        move(source.store, scene.store)
        assert schedules(scene.store, limit=limit) == schedules(source.store)
        assert runs(scene.store, limit=limit) == runs(source.store)

    def test_all_that_is_here_moves_elsewhere(
        self, scene: Scene, source: Scene
    ) -> None:
        fill(scene)
        move(scene.store, source.store)
        assert schedules(source.store) == schedules(scene.store)
        assert runs(source.store) == runs(scene.store)

    def test_lists_are_by_id(self, scene: Scene) -> None:
        fill(scene)
        names = [item.id for item in schedules(scene.store)]
        assert names == sorted(names)
        assert len(names) == 6
        names = [item.run.id for item in runs(scene.store)]
        assert names == sorted(names)
        assert len(names) == len(set(names)) == len(scene.runs())

    def test_what_is_of_another_tenant_stays(self, scene: Scene) -> None:
        fill(scene)
        scene.tenant("other")
        other = scene.schedule(tenant="other")
        assert [item.id for item in schedules(scene.store, tenant="other")] == [
            other.id
        ]
        assert not runs(scene.store, tenant="other")
        assert other.id not in [item.id for item in schedules(scene.store)]

    def test_it_looks_the_same_to_people(self, scene: Scene, source: Scene) -> None:
        made = fill(source)
        move(source.store, scene.store)
        names = [schedule.id for schedule in made.values()]
        for look in looks(names, source):
            assert look(scene.store) == look(source.store)
        for run in source.runs():
            assert scene.run(run) == source.run(run)
            assert list(
                scene.store.logs.read(TENANT, run.id, attempt=1, after=0)[0]
            ) == list(source.store.logs.read(TENANT, run.id, attempt=1, after=0)[0])

    def test_a_run_in_a_workers_hands_leaves_as_it_is(self, scene: Scene) -> None:
        run = scene.manual(scene.schedule(limit=2))
        scene.start(scene.worker())
        offered = scene.manual(scene.schedule())
        scene.lease(scene.worker(name="host-b"))
        found = {item.run.id: item.run for item in runs(scene.store)}
        assert found == {each.id: scene.run(each) for each in (run, offered)}
        assert found[run.id].attempts[-1].state is AttemptState.RUNNING
        assert found[offered.id].attempts[-1].state is AttemptState.LEASED


class TestNothingHappens:
    def test_what_moves_in_leaves_no_events(self, scene: Scene, source: Scene) -> None:
        fill(source)
        move(source.store, scene.store)
        assert not scene.events()
        scene.tenant(held=True)
        move_again(source.store, scene.store)
        gone = [item.run.id for item in runs(scene.store)]
        assert scene.store.moving.remove_runs(TENANT, gone) == len(gone)
        assert not scene.events()

    def test_what_happens_to_it_later_does(self, scene: Scene, source: Scene) -> None:
        run = source.manual(source.schedule())
        move(source.store, scene.store)
        scene.start(scene.worker())
        assert scene.told(run.id) == ["run.leased", "run.running"]

    def test_only_hooks_that_were_owed_are(self, scene: Scene, source: Scene) -> None:
        fill(source)
        owed = source.store.runs.follow_ups(limit=99)
        assert owed
        move(source.store, scene.store)
        assert list(scene.store.runs.follow_ups(limit=99)) == list(owed)

    def test_quotas_do_not_hold_it_back_and_count_it_afterwards(
        self, scene: Scene, source: Scene
    ) -> None:
        made = [source.schedule() for _ in range(3)]
        for schedule in made:
            source.manual(schedule)
        move(source.store, scene.store)
        assert scene.store.tenants.usage(TENANT).schedules == 3
        with pytest.raises(errors.QuotaExceeded):
            scene.store.schedules.create(factories.make_schedule(), limit=1, quota=3)
        run = factories.make_run(made[0], origin=Origin.MANUAL)
        with pytest.raises(errors.QuotaExceeded):
            scene.store.runs.insert(run, quota=3)


def move_again(source: Store, target: Store) -> None:
    """Put everything once more."""
    target.moving.put_schedules(schedules(source))
    target.moving.put_runs(runs(source))


class TestIds:
    def test_what_is_there_stays_as_it_is(self, scene: Scene) -> None:
        schedule = scene.schedule(name="one")
        run = scene.manual(schedule)
        (moved,), (left,) = schedules(scene.store), runs(scene.store)
        changed = replace(schedule, cursor=second(99))
        assert list(
            scene.store.moving.put_schedules([replace(moved, schedule=changed)])
        ) == [False]
        over = replace(run, state=RunState.CANCELLED, finished_at=second(0))
        assert list(scene.store.moving.put_runs([replace(left, run=over)])) == [False]
        assert schedules(scene.store) == [moved]
        assert runs(scene.store) == [left]

    def test_an_id_that_was_used_elsewhere_is_used(
        self, scene: Scene, source: Scene
    ) -> None:
        dead = source.schedule(name="dead")
        source.delete(dead)
        move(source.store, scene.store)
        assert scene.store.schedules.find(TENANT, dead.id) is None
        assert not scene.store.schedules.create(dead, limit=1, quota=None)
        scene.schedule(name="dead")

    def test_an_id_of_another_tenant_is_not_taken(
        self, scene: Scene, source: Scene
    ) -> None:
        schedule = source.schedule()
        run = source.manual(schedule)
        scene.tenant("other", held=True)
        scene.tenant(held=True)
        other = replace(schedule, tenant="other")
        (moved,), (left,) = schedules(source.store), runs(source.store)
        put = scene.store.moving
        taken = replace(moved, tenant="other", schedule=other)
        assert list(put.put_schedules([taken])) == [True]
        theirs = replace(left, run=replace(run, tenant="other"))
        assert list(put.put_runs([theirs])) == [True]
        assert list(put.put_schedules([moved])) == [False]
        assert list(put.put_runs([left])) == [False]
        assert put.remove_runs(TENANT, [run.id]) == 0
        assert scene.store.runs.find("other", run.id) is not None
        assert scene.store.schedules.find("other", schedule.id) is not None


class TestRefusals:
    def test_a_run_needs_its_schedule_and_definition(
        self, scene: Scene, source: Scene
    ) -> None:
        one = source.schedule()
        runs_ = [source.manual(one, scheduled_for=second(n)) for n in range(3)]
        (moved,) = schedules(source.store)
        assert list(scene.store.moving.put_schedules([moved])) == [True]
        good, odd, last = (MovedRun(run=run) for run in runs_)
        unknown = replace(odd.run, schedule=factories.make_id(ids.SCHEDULE))
        with pytest.raises(errors.NotFound):
            scene.store.moving.put_runs([good, replace(odd, run=unknown), last])
        assert [run.id for run in scene.runs()] == [good.run.id]
        later = replace(odd.run, revision=7)
        with pytest.raises(errors.NotFound):
            scene.store.moving.put_runs([replace(odd, run=later), last])
        assert [run.id for run in scene.runs()] == [good.run.id]

    def test_a_name_belongs_to_one_schedule(self, scene: Scene, source: Scene) -> None:
        holder = scene.schedule(name="one")
        source.schedule(name="other")
        source.schedule(name="one")
        first, taken = schedules(source.store)
        with pytest.raises(errors.NameTaken) as caught:
            scene.store.moving.put_schedules([first, taken])
        assert caught.value.holder == holder.id
        found = [item.id for item in schedules(scene.store)]
        assert sorted(found) == sorted([holder.id, first.id])

    def test_its_group_and_profile_are_there(self, scene: Scene, source: Scene) -> None:
        source.group("etl")
        source.profile("slow")
        grouped = source.schedule(group="etl")
        source.schedule(profile="slow")
        for item in schedules(source.store):
            with pytest.raises(errors.NotFound):
                scene.store.moving.put_schedules([item])
        assert not schedules(scene.store)
        scene.group("etl")
        (moved, _) = schedules(source.store)
        assert moved.id == grouped.id
        assert list(scene.store.moving.put_schedules([moved])) == [True]

    def test_a_schedule_that_lags_behind_its_group_is_carried_over_later(
        self, scene: Scene, source: Scene
    ) -> None:
        schedule = source.schedule(group="default")
        (moved,) = schedules(source.store)
        group = scene.store.groups.find(TENANT, "default")
        assert group is not None
        paused = scene.regroup(group, paused=True, carried=True)
        assert not scene.store.groups.uncarried(limit=9)
        assert list(scene.store.moving.put_schedules([moved])) == [True]
        (lagging,) = scene.store.groups.uncarried(limit=9)
        assert (lagging.name, lagging.revision) == (paused.name, paused.revision)
        assert scene.stored(schedule).held is False


class TestAgain:
    def test_a_held_tenant_takes_all_in_again(
        self, scene: Scene, source: Scene
    ) -> None:
        made = fill(source)
        scene.tenant(held=True)
        move(source.store, scene.store)
        for _ in range(2):
            move_again(source.store, scene.store)
            assert schedules(scene.store) == schedules(source.store)
            assert runs(scene.store) == runs(source.store)
        # And once more, after time went on there.
        worker = source.worker(name="host-c", slots=99)
        for item in source.start(worker):
            _write(source, worker.id, item)
            source.report(worker, item)
        source.edit(made["one"], name="uno", group="etl", cursor=second(500))
        source.delete(made["done"])
        move_again(source.store, scene.store)
        assert schedules(scene.store) == schedules(source.store)
        assert runs(scene.store) == runs(source.store)
        assert scene.store.schedules.find(TENANT, "one") is None
        ours, theirs = (s.store.stats(TENANT, now=source.now) for s in (scene, source))
        assert (ours.pending, ours.schedules) == (theirs.pending, theirs.schedules)
        assert ours.oldest_due == theirs.oldest_due

    def test_a_run_that_ended_meanwhile_is_over(
        self, scene: Scene, source: Scene
    ) -> None:
        scene.tenant(held=True)
        run = source.manual(source.schedule())
        move(source.store, scene.store)
        source_worker = source.worker()
        (item,) = source.start(source_worker)
        source.report(source_worker, item, result=1)
        move_again(source.store, scene.store)
        assert scene.run(run) == source.run(run)
        scene.tenant(held=False)
        assert not scene.leased(scene.worker())
        assert scene.store.tenants.usage(TENANT).pending_runs == 0

    def test_what_leaves_a_place_lets_the_next_go(
        self, scene: Scene, source: Scene
    ) -> None:
        scene.tenant(held=True)
        schedule = source.schedule()
        first, then = (source.manual(schedule, due_at=second(n)) for n in (0, 1))
        move(source.store, scene.store)
        over = replace(first, state=RunState.CANCELLED, finished_at=second(0))
        assert list(scene.store.moving.put_runs([MovedRun(run=over)])) == [True]
        scene.tenant(held=False)
        scene.after(2)
        assert scene.leased(scene.worker()) == [then.id]

    def test_what_a_worker_has_is_left_to_it(self, scene: Scene) -> None:
        schedule = scene.schedule(limit=2)
        runs_ = [scene.manual(schedule, scheduled_for=second(n)) for n in (0, 1)]
        worker = scene.worker(slots=1)
        (item,) = scene.start(worker, slots=1)
        scene.tenant(held=True)
        moved = [
            MovedRun(run=replace(run, state=RunState.CANCELLED, finished_at=START))
            for run in runs_
        ]
        counted = scene.store.moving.put_runs(moved)
        assert list(counted) == [run.id != item.run for run in runs_]
        names = [run.id for run in runs_]
        assert scene.store.moving.remove_runs(TENANT, names) == 1
        assert scene.run(item.run).state is RunState.RUNNING
        assert scene.report(worker, item).standing is Standing.ACCEPTED

    def test_a_limit_that_moves_in_admits_anew(
        self, scene: Scene, source: Scene
    ) -> None:
        scene.tenant(held=True)
        schedule = source.schedule(limit=1)
        for number in range(3):
            source.manual(schedule, scheduled_for=second(number), due_at=START)
        move(source.store, scene.store)
        (moved,) = schedules(scene.store)
        wide = replace(moved, limit=2)
        assert list(scene.store.moving.put_schedules([wide])) == [True]
        scene.tenant(held=False)
        scene.after(9)
        assert len(scene.leased(scene.worker())) == 2

    def test_a_schedule_that_was_deleted_meanwhile_is(
        self, scene: Scene, source: Scene
    ) -> None:
        scene.tenant(held=True)
        schedule = source.schedule(name="one")
        source.due(schedule, 0, state=RunState.MISSED, finished_at=second(0))
        move(source.store, scene.store)
        source.delete(schedule)
        move_again(source.store, scene.store)
        scene.tenant(held=False)
        assert scene.store.schedules.find(TENANT, "one") is None
        assert not scene.store.schedules.due(second(999), limit=9)
        assert scene.store.tenants.usage(TENANT).schedules == 0
        assert len(scene.runs()) == 1
        pruned = scene.store.runs.prune(
            TENANT, schedule.id, keep=0, before=second(9), now=second(9), limit=9
        )
        assert pruned == 1
        assert scene.store.schedules.definition(TENANT, schedule.id, 1) is None


class TestRemoval:
    def test_what_is_removed_was_never_here(self, scene: Scene, source: Scene) -> None:
        made = fill(source)
        move(source.store, scene.store)
        names = [run.id for run in scene.runs(schedule=made["one"].id)]
        left = scene.store.runs.pruned(TENANT, made["one"].id)
        assert scene.store.moving.remove_runs(TENANT, names) == 0
        scene.tenant(held=True)
        assert scene.store.moving.remove_runs(TENANT, [*names, *names]) == len(names)
        assert not scene.runs(schedule=made["one"].id)
        assert not scene.store.runs.errors(TENANT, [made["one"].id], limit=9)
        assert scene.store.runs.pruned(TENANT, made["one"].id) == left
        assert not [
            owed for owed in scene.store.runs.follow_ups(limit=99) if owed.run in names
        ]
        moved = [item for item in runs(source.store) if item.run.id in names]
        assert list(scene.store.moving.put_runs(moved)) == [True] * len(names)
        assert runs(scene.store) == runs(source.store)

    def test_the_next_in_line_goes(self, scene: Scene) -> None:
        schedule = scene.schedule()
        first, then = (scene.manual(schedule, due_at=second(n)) for n in (0, 1))
        scene.tenant(held=True)
        assert scene.store.moving.remove_runs(TENANT, [first.id]) == 1
        scene.tenant(held=False)
        scene.after(2)
        assert scene.leased(scene.worker()) == [then.id]


class TestGrants:
    def test_a_late_report_of_an_attempt_elsewhere_is_stale(
        self, scene: Scene, source: Scene
    ) -> None:
        run = source.manual(source.schedule(), max_lost=5)
        worker = source.worker()
        (item,) = source.start(worker)
        source.after(3600)
        source.expire()
        (moved,) = runs(source.store)
        raised = replace(moved.run, token=moved.run.token + 1000)
        move_schedules(source.store, scene.store)
        scene.store.moving.put_runs([replace(moved, run=raised)])
        key = factories.make_key()
        scene.store.workers.register(worker, key, quota=None)
        scene.now = source.now
        assert scene.report(worker, item).standing is Standing.STALE
        (answer,) = scene.confirm(worker, item)
        assert answer.standing is Standing.STALE
        entry = factories.make_progress(run.id)
        said = scene.store.leases.progress(TENANT, worker.id, item.token, entry)
        assert said is Standing.STALE
        unknown = Holding(item.run, item.token + 1)
        assert scene.report(worker, unknown).standing is Standing.UNKNOWN
        assert scene.run(run).state is RunState.PENDING

    def test_its_tokens_go_on_from_where_they_were(
        self, scene: Scene, source: Scene
    ) -> None:
        source.manual(source.schedule(), max_lost=5)
        source.start(source.worker())
        source.after(3600)
        source.expire()
        (moved,) = runs(source.store)
        raised = replace(moved.run, token=moved.run.token + 1000)
        move_schedules(source.store, scene.store)
        scene.store.moving.put_runs([replace(moved, run=raised)])
        scene.now = source.now
        (offer,) = scene.lease(scene.worker())
        assert (offer.token, offer.attempt) == (moved.run.token + 1001, 2)

    def test_a_withdrawn_run_is_taken_back_under_them(
        self, scene: Scene, source: Scene
    ) -> None:
        schedule = source.schedule()
        source.due(schedule, 60)
        source.edit(schedule)
        (moved,) = runs(source.store)
        assert moved.run.state is RunState.WITHDRAWN
        move_schedules(source.store, scene.store)
        raised = replace(moved.run, token=1000)
        scene.store.moving.put_runs([replace(moved, run=raised)])
        again = factories.make_run(schedule, scheduled_for=second(60), revision=2)
        stored = scene.stored(schedule)
        item = factories.make_materialisation(
            stored, next_cursor=second(61), runs=(again,)
        )
        scene.store.schedules.materialise([item], now=scene.now)
        assert scene.run(again).state is RunState.PENDING
        assert scene.run(again).token == 1000


def move_schedules(source: Store, target: Store) -> None:
    """Put all schedules, and no run."""
    moved = schedules(source)
    assert list(target.moving.put_schedules(moved)) == [True] * len(moved)


class TestAdmission:
    def test_limits_hold_of_what_moved_in(self, scene: Scene, source: Scene) -> None:
        schedule = source.schedule(limit=2)
        made = [source.manual(schedule, due_at=second(n)) for n in (2, 0, 1)]
        move(source.store, scene.store)
        scene.after(9)
        assert scene.leased(scene.worker()) == [made[1].id, made[2].id]

    def test_what_is_here_already_shares_them(
        self, scene: Scene, source: Scene
    ) -> None:
        schedule = source.schedule(limit=1)
        early = source.manual(schedule, due_at=second(0))
        move_schedules(source.store, scene.store)
        late = scene.manual(schedule, due_at=second(1))
        move_runs = scene.store.moving.put_runs(runs(source.store))
        assert list(move_runs) == [True]
        scene.after(9)
        worker = scene.worker()
        (item,) = scene.start(worker)
        assert item.run == early.id
        scene.report(worker, item)
        assert scene.leased(worker) == [late.id]

    def test_groups_and_tenants_hold_of_it(self, scene: Scene, source: Scene) -> None:
        source.group("etl", max_concurrent=1)
        for _ in range(2):
            source.manual(source.schedule(group="etl"), group="etl")
        source.manual(source.schedule())
        move(source.store, scene.store)
        assert len(scene.leased(scene.worker())) == 2

    def test_what_is_to_come_waits_to_be_promoted(
        self, scene: Scene, source: Scene
    ) -> None:
        run = source.manual(source.schedule(), available_at=second(60))
        move(source.store, scene.store)
        assert scene.store.leases.earliest() == second(60)
        ready = scene.store.leases.promote(horizon=second(59), limit=9)
        assert not ready
        assert scene.store.leases.promote(horizon=second(60), limit=9) == {LINE}
        scene.now = second(60)
        assert scene.leased(scene.worker()) == [run.id]

    def test_labels_and_levels_are_asked_for(self, scene: Scene, source: Scene) -> None:
        source.manual(source.schedule(requires={"gpu": "yes"}))
        move(source.store, scene.store)
        assert not scene.leased(scene.worker())
        assert scene.leased(scene.worker(name="host-b", labels={"gpu": "yes"}))


class TestHeld:
    def test_nothing_of_a_held_tenant_comes_due_or_is_leased(
        self, scene: Scene
    ) -> None:
        schedule = scene.schedule(cursor=second(1))
        run = scene.manual(schedule)
        scene.tenant(held=True)
        late = scene.schedule(cursor=second(2))
        worker = scene.worker()
        assert not scene.store.schedules.due(second(99), limit=9)
        assert scene.store.schedules.earliest() is None
        assert not scene.leased(worker)
        scene.tenant(held=False)
        due = scene.store.schedules.due(second(99), limit=9)
        assert [each.id for each in due] == [schedule.id, late.id]
        assert scene.store.schedules.earliest() == second(1)
        assert scene.leased(worker) == [run.id]

    def test_others_go_on(self, scene: Scene) -> None:
        scene.schedule()
        other = scene.schedule(tenant="other", cursor=second(1))
        scene.tenant(held=True)
        assert [s.id for s in scene.store.schedules.due(second(9), limit=9)] == [
            other.id
        ]
        assert scene.store.schedules.earliest() == second(1)

    def test_one_that_is_made_held_is(self, scene: Scene) -> None:
        scene.tenant("other", held=True)
        scene.schedule(tenant="other")
        assert not scene.store.schedules.due(second(9), limit=9)
        found = scene.store.tenants.find("other")
        assert found is not None
        assert found.held

    def test_its_end_tells_the_lines_of_all_that_may_go(self, scene: Scene) -> None:
        scene.group("full", max_concurrent=0)
        scene.manual(scene.schedule(group="full", queue="a"), group="full", queue="a")
        ended = scene.manual(
            scene.schedule(queue="b"),
            queue="b",
            state=RunState.FAILED,
            finished_at=START,
        )
        scene.manual(scene.schedule(queue="c"), queue="c")
        scene.hook(ended, HookKind.ERROR)
        held = scene.tenant(held=True)
        changed = replace(held, revision=held.revision + 1, max_concurrent=9)
        assert scene.store.tenants.put(changed, expected=held.revision) == (
            True,
            frozenset(),
        )
        free = replace(changed, revision=changed.revision + 1, held=False)
        counted, ready = scene.store.tenants.put(free, expected=changed.revision)
        assert counted
        assert ready == {(TENANT, "c"), LINE}

    def test_only_hooks_go_on_where_the_tenant_has_no_place(self, scene: Scene) -> None:
        ended = scene.manual(scene.schedule(), state=RunState.FAILED, finished_at=START)
        scene.manual(scene.schedule(queue="c"), queue="c")
        scene.hook(ended, HookKind.ERROR)
        held = scene.tenant(held=True, max_concurrent=0)
        free = replace(held, revision=held.revision + 1, held=False)
        counted, ready = scene.store.tenants.put(free, expected=held.revision)
        assert (counted, ready) == (True, frozenset({LINE}))

    def test_a_place_that_comes_free_is_told_nobody(self, scene: Scene) -> None:
        group = scene.group("etl", max_concurrent=1)
        for _ in range(2):
            scene.manual(scene.schedule(group="etl"), group="etl")
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.tenant(held=True)
        assert scene.finish(worker, item) == frozenset()
        wider = replace(group, revision=2, max_concurrent=5)
        assert scene.store.groups.put(wider, expected=1) == (True, frozenset())

    def test_nothing_gives_way_to_it(self, scene: Scene) -> None:
        preemptible = factories.make_run().policy
        low = scene.manual(
            scene.schedule(), policy=replace(preemptible, preemptible=True)
        )
        worker = scene.worker(slots=1)
        scene.start(worker)
        scene.manual(scene.schedule(), priority=9)
        scene.tenant(held=True)
        scene.after(600)
        assert not scene.preempt()
        scene.tenant(held=False)
        assert [change.run for change in scene.preempt()] == [low.id]

    def test_what_runs_is_reported_and_may_end(self, scene: Scene) -> None:
        run = scene.manual(scene.schedule())
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.tenant(held=True)
        assert scene.report(worker, item).standing is Standing.ACCEPTED
        assert scene.run(run).state is RunState.SUCCEEDED


def test_what_is_left_of_pruned_runs_moves_by_itself(scene: Scene) -> None:
    schedule = factories.make_schedule()
    left = Pruned(
        until=second(9),
        occurrences={RunState.SUCCEEDED: 3, RunState.MISSED: 1},
        others={RunState.FAILED: 2},
    )
    item = MovedSchedule(
        tenant=TENANT,
        id=schedule.id,
        schedule=schedule,
        limit=3,
        definitions={1: schedule.definition},
        versions=(),
        pruned=left,
    )
    assert list(scene.store.moving.put_schedules([item])) == [True]
    assert scene.store.runs.pruned(TENANT, schedule.id) == left
    assert schedules(scene.store) == [item]


def test_an_empty_tenant_has_nothing_that_moves(scene: Scene) -> None:
    assert not schedules(scene.store)
    assert not runs(scene.store)
    assert not runs(scene.store, tenant="nobody")
    assert list(scene.store.moving.put_schedules([])) == []
    assert list(scene.store.moving.put_runs([])) == []
    assert scene.store.moving.remove_runs(TENANT, []) == 0


def owed_of(run: Run, *kinds: HookKind) -> Sequence[FollowUp]:
    """Return follow-ups of a run's newest attempt."""
    return [
        FollowUp(
            tenant=run.tenant,
            schedule=run.schedule,
            run=run.id,
            attempt=run.attempt,
            kind=kind,
            number=1,
            at=second(1),
        )
        for kind in kinds
    ]


def test_hooks_that_are_owed_are_replaced_with_their_run(
    scene: Scene, source: Scene
) -> None:
    run = source.manual(source.schedule(), state=RunState.FAILED, finished_at=START)
    move_schedules(source.store, scene.store)
    put = scene.store.moving.put_runs
    owed = tuple(owed_of(run, HookKind.ERROR))
    put([MovedRun(run=run, follow_ups=owed)])
    assert tuple(scene.store.runs.follow_ups(limit=9)) == owed
    scene.tenant(held=True)
    put([MovedRun(run=run)])
    assert not scene.store.runs.follow_ups(limit=9)
