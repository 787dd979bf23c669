"""No more runs of a group or a tenant in workers' hands than their limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crony.model.hook import HookKind
from crony.model.lease import Holding, Scope, Standing
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Origin, RunState
from crony.model.worker import Worker
from crony.storage.contract import Materialisation, Store
from crony.testing import factories
from crony.testing.storage.scene import LINE, TENANT, Scene, second

SLOW = (TENANT, "slow")


class TestGroupLimits:
    def test_no_more_runs_of_a_group_are_given_than_its_limit(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.group("etl", max_concurrent=2)
        runs = [scene.due(scene.schedule(group="etl"), n)[0].id for n in range(3)]
        (free,) = scene.due(scene.schedule(), 4)
        one, two = scene.worker(), scene.worker()
        assert scene.leased(one, slots=1) == [runs[0]]
        assert scene.leased(two) == [runs[1], free.id]
        assert not scene.lease(one)

    def test_what_waits_for_a_full_group_holds_up_nobody_else(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.group("etl", max_concurrent=1)
        many = scene.schedule(limit=9, group="etl")
        first, *_ = scene.due(many, *range(5), priority=9)
        free = [scene.due(scene.schedule(), n)[0].id for n in (1, 2)]
        assert scene.leased(scene.worker(), slots=3) == [first.id, *free]

    def test_a_group_with_no_limit_or_none_at_all_is_what_it_says(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.group("open")
        scene.group("closed", max_concurrent=0)
        runs = scene.due(scene.schedule(limit=9, group="open"), 0, 1, 2)
        scene.due(scene.schedule(limit=9, group="closed"), 0, 1)
        assert scene.leased(scene.worker()) == [run.id for run in runs]

    def test_groups_of_one_name_in_two_tenants_are_two(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant("other")
        scene.group("etl", max_concurrent=1)
        scene.group("etl", tenant="other", max_concurrent=1)
        for tenant in (TENANT, "other"):
            scene.due(scene.schedule(limit=9, group="etl", tenant=tenant), 0, 1)
        assert len(scene.lease(scene.worker())) == 1
        assert len(scene.lease(scene.worker(tenant="other"))) == 1

    def test_the_limit_of_the_schedule_holds_as_well(self, store: Store) -> None:
        scene = Scene(store)
        scene.group("etl", max_concurrent=2)
        one, two = (scene.schedule(group="etl") for _ in range(2))
        first, _ = scene.due(one, 0, 1)
        other, _ = scene.due(two, 2, 3)
        assert scene.leased(scene.worker()) == [first.id, other.id]

    @pytest.mark.parametrize(
        "freed",
        [
            "report",
            "retry",
            "cancel",
            "offer",
            "lost",
            "reclaim",
            "deadline",
            "edit",
            "deletion",
        ],
    )
    def test_the_lines_of_those_that_waited_are_told_of_a_free_place(
        self, store: Store, freed: str
    ) -> None:
        scene = Scene(store)
        scene.group("etl", max_concurrent=1)
        holder = scene.schedule(group="etl")
        scene.due(holder, 3, deadline_at=second(3.5))
        waits = scene.schedule(group="etl", queue="slow")
        (waiting,) = scene.due(waits, 4)
        worker = scene.worker(queues=("default", "slow"))
        (offer,) = scene.lease(worker)
        assert SLOW in free(scene, freed, holder, worker, offer.run, offer.token)
        assert scene.leased(scene.worker(queues=("slow",))) == [waiting.id]

    def test_nobody_is_told_of_a_place_that_nobody_waits_for(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.group("etl", max_concurrent=2)
        scene.due(scene.schedule(group="etl"), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        assert scene.finish(worker, item) == frozenset()

    def test_a_raised_limit_lets_more_go_and_tells_their_lines(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        group = scene.group("etl", max_concurrent=1)
        scene.due(scene.schedule(group="etl"), 0)
        (waiting,) = scene.due(scene.schedule(group="etl", queue="slow"), 1)
        worker = scene.worker(queues=("default", "slow"))
        scene.start(worker)
        raised = replace(group, revision=2, max_concurrent=2)
        assert store.groups.put(raised, expected=1) == (True, frozenset({SLOW}))
        assert scene.leased(worker) == [waiting.id]

    def test_a_lowered_limit_stops_nothing_and_gives_nothing(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        group = scene.group("etl", max_concurrent=2)
        scene.due(scene.schedule(limit=9, group="etl"), 0, 1, 2)
        worker = scene.worker()
        one, two = scene.start(worker)
        lowered = replace(group, revision=2, max_concurrent=1)
        assert store.groups.put(lowered, expected=1) == (True, frozenset())
        scene.report(worker, one)
        assert not scene.lease(worker)
        scene.report(worker, two)
        assert len(scene.lease(worker)) == 1

    def test_a_stopping_run_holds_its_place_in_the_group(self, store: Store) -> None:
        scene = Scene(store)
        scene.group("etl", max_concurrent=1)
        (first,) = scene.due(scene.schedule(group="etl"), 0)
        (then,) = scene.due(scene.schedule(group="etl"), 1)
        worker = scene.worker()
        (item,) = scene.start(worker)
        store.runs.cancel(TENANT, first.id, now=scene.now)
        assert not scene.lease(worker)
        assert scene.finish(worker, item, AttemptState.CANCELLED) == {LINE}
        assert scene.leased(worker) == [then.id]

    def test_a_run_counts_for_the_group_it_was_made_in(self, store: Store) -> None:
        scene = Scene(store)
        scene.group("old", max_concurrent=1)
        scene.group("new", max_concurrent=1)
        moved = scene.schedule(group="old")
        scene.due(moved, 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.edit(moved, group="new")
        (in_old,) = scene.due(scene.schedule(group="old"), 1)
        (in_new,) = scene.due(scene.schedule(group="new"), 2)
        assert scene.leased(worker) == [in_new.id]
        scene.report(worker, item)
        assert scene.leased(worker) == [in_old.id]

    def test_runs_of_a_group_that_is_gone_know_no_limit(self, store: Store) -> None:
        scene = Scene(store)
        group = scene.group("etl", max_concurrent=1)
        schedule = scene.schedule(limit=9, group="etl")
        scene.due(schedule, 0)
        other = scene.manual(schedule, scheduled_for=second(1))
        worker = scene.worker()
        assert len(scene.lease(worker)) == 1
        scene.edit(schedule, limit=9)
        assert store.groups.delete(TENANT, group.name, expected=1)
        assert scene.leased(worker) == [other.id]

    def test_an_offer_ahead_gives_way_to_a_run_of_its_full_group_that_is_due(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.group("etl", max_concurrent=1)
        scene.due(scene.schedule(group="etl"), 4)
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        due = factories.make_run(
            scene.schedule(group="etl"), origin=Origin.MANUAL, scheduled_for=scene.now
        )
        stored, ready, recalled = store.runs.insert(due, quota=None)
        assert (stored, recalled) == (True, frozenset({worker.id}))
        assert ready == {LINE}
        assert scene.leased(worker) == [due.id]
        (late,) = scene.confirm(worker, Holding(offer.run.id, offer.token))
        assert late.standing is Standing.STALE


def free(
    scene: Scene, how: str, of: Schedule, worker: Worker, run: Run, token: int
) -> frozenset[tuple[str, str]]:
    """Free the place that a run holds, in one of the ways there are."""
    store = scene.store
    item = Holding(run.id, token)
    if how in ("report", "retry", "lost", "reclaim"):
        scene.after(3)
        scene.confirm(worker, item)
    match how:
        case "report":
            return scene.finish(worker, item)
        case "retry":
            retry_at = second(3.1)
            return scene.finish(worker, item, AttemptState.FAILED, retry_at=retry_at)
        case "cancel":
            return store.runs.cancel(TENANT, run.id, now=scene.now)[1]
        case "deadline":
            scene.after(3.5)
            return store.leases.lapse(now=scene.now, limit=9)[1]
        case "edit":
            stored = scene.stored(of)
            changed = replace(stored, revision=2, cursor=scene.now)
            return store.schedules.update(
                changed, limit=1, expected=stored, settled=(), now=scene.now
            )[1]
        case "deletion":
            return store.schedules.delete(
                scene.stored(of), settled=(), cancel_running=False, now=scene.now
            )[2]
        case "reclaim":
            return store.leases.reclaim(
                worker.tenant,
                worker.id,
                session="session",
                sequence=1,
                holding=(),
                now=scene.now,
            )[1]
        case _:
            scene.after(60 if how == "lost" else 8)
            return scene.expire()[1]


class TestTenantLimits:
    def test_no_more_runs_of_a_tenant_are_given_than_its_limit(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.tenant(max_concurrent=2)
        scene.tenant("other")
        scene.group("etl", max_concurrent=1)
        runs = [scene.due(scene.schedule(group="etl"), n)[0].id for n in (0, 1)]
        runs += [scene.due(scene.schedule(), n)[0].id for n in (2, 3)]
        scene.due(scene.schedule(tenant="other", limit=9), 0, 1, 2)
        worker = scene.worker()
        assert scene.leased(worker) == [runs[0], runs[2]]
        assert not scene.lease(scene.worker())
        assert len(scene.lease(scene.worker(tenant="other"))) == 3

    def test_a_place_that_is_free_again_is_told_and_taken(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant(max_concurrent=1)
        scene.due(scene.schedule(), 0)
        (waiting,) = scene.due(scene.schedule(queue="slow"), 1)
        worker = scene.worker(queues=("default", "slow"))
        (item,) = scene.start(worker)
        assert not scene.lease(worker)
        assert scene.finish(worker, item) == {SLOW}
        assert scene.leased(worker) == [waiting.id]

    def test_a_limit_that_is_lifted_lets_go_what_waited(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant(max_concurrent=0)
        scene.due(scene.schedule(limit=9), 0, 1)
        worker = scene.worker()
        assert not scene.lease(worker)
        found = store.tenants.find(TENANT)
        assert found is not None
        lifted = replace(found, revision=3, max_concurrent=None)
        assert store.tenants.put(lifted, expected=2) == (True, frozenset({LINE}))
        assert len(scene.lease(worker)) == 2

    def test_an_offer_ahead_gives_way_to_a_run_of_its_full_tenant_that_is_due(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.tenant(max_concurrent=1)
        scene.due(scene.schedule(), 4)
        worker = scene.worker()
        scene.lease(worker)
        due = factories.make_run(
            scene.schedule(), origin=Origin.MANUAL, scheduled_for=scene.now
        )
        _, _, recalled = store.runs.insert(due, quota=None)
        assert recalled == {worker.id}
        assert scene.leased(worker) == [due.id]


class TestHooksRuns:
    def test_a_hooks_run_is_given_beside_the_run_it_belongs_to(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.tenant(max_concurrent=1)
        scene.group("etl", max_concurrent=1)
        (run,) = scene.due(scene.schedule(group="etl"), 0)
        worker = scene.worker()
        scene.start(worker)
        hook = scene.hook(run, HookKind.PROGRESS)
        assert scene.leased(worker) == [hook.id]

    def test_a_hooks_run_takes_no_place_of_another(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant(max_concurrent=1)
        scene.group("etl", max_concurrent=1)
        schedule = scene.schedule(group="etl")
        (run,) = scene.due(schedule, 3)
        hooks = {scene.hook(run, HookKind.ERROR, attempt=n).id for n in (1, 2)}
        worker = scene.worker()
        assert set(scene.leased(worker)) == hooks | {run.id}

    def test_no_offer_gives_way_to_a_hooks_run(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 4)
        scene.lease(scene.worker())
        hook = factories.make_run(
            schedule,
            origin=Origin.HOOK,
            parent=run.id,
            hook=HookKind.PROGRESS,
            hook_attempt=1,
            scheduled_for=scene.now,
        )
        stored, ready, recalled = store.runs.insert(hook, quota=None)
        assert (stored, ready, recalled) == (True, frozenset({LINE}), frozenset())

    def test_a_limit_of_none_at_all_does_not_keep_a_hook(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=0)
        (run,) = scene.due(schedule, 0, state=RunState.MISSED)
        hook = scene.hook(run, HookKind.ERROR)
        assert scene.leased(scene.worker()) == [hook.id]


class TestScopes:
    def test_each_limit_is_told_with_what_takes_it_up(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant(max_concurrent=7)
        scene.group("etl", max_concurrent=2)
        schedule = scene.schedule(group="etl")
        holding, waiting = scene.due(schedule, 0, 1)
        (beside,) = scene.due(scene.schedule(group="etl"), 0)
        (other,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        scene.start(worker)
        hook = scene.hook(holding, HookKind.PROGRESS)
        assert scene.leased(worker) == [hook.id]
        scopes = {
            scope.kind: scope for scope in store.leases.scopes(TENANT, waiting.id)
        }
        own, group, tenant = (scopes[kind] for kind in ("schedule", "group", "tenant"))
        assert (own.limit, own.held, own.runs) == (1, 1, (holding.id,))
        assert (group.name, group.limit, group.held) == ("etl", 2, 2)
        assert set(group.runs) == {holding.id, beside.id}
        assert (tenant.name, tenant.limit, tenant.held) == (TENANT, 7, 3)
        assert set(tenant.runs) == {holding.id, beside.id, other.id}

    def test_a_limit_that_nobody_set_is_none(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(limit=3), 0)
        scopes = {scope.kind: scope for scope in store.leases.scopes(TENANT, run.id)}
        limits = {kind: scope.limit for kind, scope in scopes.items()}
        assert limits["schedule"] == 3
        assert limits.get("group") is None
        assert limits.get("tenant") is None
        assert all(isinstance(scope, Scope) for scope in scopes.values())


class TestLimitOfMaterialisation:
    @pytest.mark.parametrize(("limit", "given"), [(None, 1), (2, 2)])
    def test_a_new_limit_comes_with_the_occurrences(
        self, store: Store, limit: int | None, given: int
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=1)
        runs = tuple(
            factories.make_run(schedule, scheduled_for=second(n)) for n in range(3)
        )
        item: Materialisation = factories.make_materialisation(
            schedule, next_cursor=second(3), runs=runs, limit=limit
        )
        store.schedules.materialise([item], now=scene.now)
        expected = [run.id for run in runs][:given]
        assert scene.leased(scene.worker()) == expected
