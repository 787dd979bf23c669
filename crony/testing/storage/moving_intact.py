"""What moves is afterwards as it was, and nothing happens by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from crony import errors
from crony.model.moving import MovedSchedule, Pruned
from crony.model.state import AttemptState, Origin, RunState
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.storage.moving import Moving, fill, move, move_again, runs, schedules
from crony.testing.storage.scene import TENANT, Scene, second


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


class TestRoundTrip(Moving):
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

    def test_output_of_an_offer_that_was_taken_back_stays(
        self, scene: Scene, source: Scene
    ) -> None:
        scene.manual(scene.schedule())
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        chunk = factories.make_chunk(data=b"early")
        scene.store.logs.append(
            TENANT, worker.id, offer.run.id, offer.token, [chunk], head=9, bound=9
        )
        scene.after(60)
        scene.store.leases.expire(now=scene.now, limit=9, include_leases=False)
        (moved,) = runs(scene.store)
        assert moved.run.state is RunState.PENDING
        assert not moved.output

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

    def test_what_is_left_of_pruned_runs_moves_by_itself(self, scene: Scene) -> None:
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

    def test_an_empty_tenant_has_nothing_that_moves(self, scene: Scene) -> None:
        assert not schedules(scene.store)
        assert not runs(scene.store)
        assert not runs(scene.store, tenant="nobody")
        assert list(scene.store.moving.put_schedules([])) == []
        assert list(scene.store.moving.put_runs([])) == []
        assert scene.store.moving.remove_runs(TENANT, []) == 0


class TestNothingHappens(Moving):
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
