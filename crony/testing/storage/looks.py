"""Looks at much at once: schedules of many names, levels of a tenant, what became."""

from __future__ import annotations

from dataclasses import replace

from crony.model.state import AttemptState
from crony.storage.contract import Levels, Live, Store
from crony.testing import factories
from crony.testing.storage.scene import TENANT, Scene


class TestNamed:
    def test_only_what_there_is_of_the_tenant_is_found_and_by_its_name(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.tenant("other")
        one, two = scene.schedule(name="one"), scene.schedule(name="two")
        scene.schedule(name="three")
        nameless = scene.schedule(name=None)
        scene.schedule(name="elsewhere", tenant="other")
        scene.delete(scene.schedule(name="gone"))
        wanted = ["one", "two", "elsewhere", "gone", "never", nameless.id]
        assert store.schedules.named(TENANT, wanted) == {"one": one, "two": two}
        assert store.schedules.named(TENANT, []) == {}


class TestLevels:
    def test_with_a_tenant_and_its_groups_come_the_profiles_that_these_refer_to(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.tenant("other")
        profiles = {
            name: scene.profile(name) for name in ("of-all", "slow", "asked", "unasked")
        }
        etl = scene.group("etl", profile="slow", max_concurrent=2)
        scene.group("unasked", profile="unasked")
        owner = store.tenants.find(TENANT)
        default = store.groups.find(TENANT, "default")
        assert owner is not None
        assert default is not None
        changed = replace(owner, revision=owner.revision + 1, profile="of-all")
        assert store.tenants.put(changed, expected=owner.revision)[0]
        found = store.tenants.levels(
            TENANT, groups=["default", "etl", "none"], profiles=["asked", "none"]
        )
        assert found == Levels(
            tenant=changed,
            groups={"default": default, "etl": etl},
            profiles={name: profiles[name] for name in ("of-all", "slow", "asked")},
        )

    def test_a_tenant_by_itself_and_one_that_is_not_there(self, store: Store) -> None:
        scene = Scene(store)
        scene.profile("asked")
        alone = store.tenants.levels(TENANT, groups=[], profiles=[])
        assert alone == Levels(
            tenant=store.tenants.find(TENANT), groups={}, profiles={}
        )
        nobody = store.tenants.levels("nobody", groups=["default"], profiles=["asked"])
        assert nobody == Levels(tenant=None, groups={}, profiles={})

    def test_each_change_is_seen_at_once(self, store: Store) -> None:
        scene = Scene(store)
        etl = scene.group("etl", paused=False)
        for paused in (True, False):
            before, etl = etl, replace(etl, revision=etl.revision + 1, paused=paused)
            assert store.groups.put(etl, expected=before.revision)[0]
            found = store.tenants.levels(TENANT, groups=["etl"], profiles=[])
            assert found.groups == {"etl": etl}


class TestLive:
    def test_it_is_what_the_verbs_for_each_part_tell(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant("other")
        quiet, due, failed = (scene.schedule() for _ in range(3))
        foreign = scene.schedule(tenant="other")
        scene.due(foreign, 0)
        worker = scene.worker()
        (run,) = scene.due(failed, 0)
        (item,) = scene.start(worker)
        entry = factories.make_progress(run.id, percent=1.0)
        store.leases.progress(worker.tenant, worker.id, item.token, entry)
        scene.report(worker, item, AttemptState.FAILED, retry_at=None)
        scene.due(due, 3, 4, 5)
        ids = [quiet.id, due.id, failed.id, foreign.id]
        found = store.runs.live(TENANT, ids, runs=2, entries=1)
        assert found.keys() == {due.id, failed.id}
        assert [len(found[each.id].runs) for each in (due, failed)] == [2, 1]
        assert [len(found[each.id].errors) for each in (due, failed)] == [0, 1]
        assert [len(found[each.id].progress) for each in (due, failed)] == [0, 1]
        recent = store.runs.recent(TENANT, ids, limit=2)
        errors = store.runs.errors(TENANT, ids, limit=1)
        progress = store.runs.progress(TENANT, ids, limit=1)
        for schedule, live in found.items():
            assert _listed(live) == (
                list(recent.get(schedule, ())),
                list(errors.get(schedule, ())),
                list(progress.get(schedule, ())),
            )

    def test_there_is_nothing_of_no_schedules(self, store: Store) -> None:
        assert store.runs.live(TENANT, [], runs=1, entries=1) == {}


def _listed(live: Live) -> tuple[list[object], list[object], list[object]]:
    return list(live.runs), list(live.errors), list(live.progress)
