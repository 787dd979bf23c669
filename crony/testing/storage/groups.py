"""Groups and profiles, and what refers to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crony import errors
from crony.model.group import ProfileUse
from crony.model.policy import (
    PolicySettings,
    RetentionSettings,
    RetriesSettings,
    SandboxSettings,
)
from crony.model.worker import Tenant
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.storage.scene import TENANT, Scene, second


class TestGroups:
    def test_every_tenant_has_the_group_default_and_keeps_it(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.tenant("other")
        for tenant in (TENANT, "other"):
            default = store.groups.find(tenant, "default")
            assert default is not None
            assert (default.tenant, default.revision) == (tenant, 1)
            assert (default.paused, default.carried) == (False, True)
            with pytest.raises(errors.InUse):
                store.groups.delete(tenant, "default", expected=1)
        assert store.groups.find("nobody", "default") is None

    def test_what_is_written_is_read_again(self, store: Store) -> None:
        scene = Scene(store)
        scene.profile("slow")
        group = scene.group(
            "etl",
            description="what loads",
            profile="slow",
            max_concurrent=3,
            paused=True,
            since=second(7),
            misfire="latest",
            carried=False,
        )
        assert store.groups.find(TENANT, "etl") == group
        assert store.groups.find("other", "etl") is None

    def test_a_group_is_created_only_where_there_is_none(self, store: Store) -> None:
        group = factories.make_group(name="etl")
        assert store.groups.put(group, expected=None)[0]
        again = replace(group, description="other")
        assert store.groups.put(again, expected=None) == (False, frozenset())
        assert store.groups.find(TENANT, "etl") == group

    def test_a_group_is_replaced_only_at_the_expected_revision(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        group = scene.group("etl")
        changed = replace(group, revision=2, description="new")
        assert not store.groups.put(changed, expected=2)[0]
        assert store.groups.find(TENANT, "etl") == group
        assert store.groups.put(changed, expected=1)[0]
        assert store.groups.find(TENANT, "etl") == changed
        unknown = factories.make_group(name="unknown", revision=2)
        assert not store.groups.put(unknown, expected=1)[0]

    def test_a_profile_that_is_not_there_is_refused(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant("other")
        scene.profile("slow", tenant="other")
        with pytest.raises(errors.NotFound):
            scene.group("etl", profile="slow")
        assert store.groups.find(TENANT, "etl") is None
        group = scene.group("etl")
        with pytest.raises(errors.NotFound):
            scene.regroup(group, profile="slow")
        assert store.groups.find(TENANT, "etl") == group

    def test_groups_are_listed_by_name(self, store: Store) -> None:
        scene = Scene(store)
        for name in ("b", "e", "a"):
            scene.group(name)
        first = store.groups.page(TENANT, limit=2, after=None)
        rest = store.groups.page(TENANT, limit=2, after=first.next)
        names = [group.name for group in first.items + rest.items]
        assert names == ["a", "b", "default", "e"]
        assert rest.next is None

    def test_a_group_with_schedules_stays(self, store: Store) -> None:
        scene = Scene(store)
        scene.group("etl")
        schedule = scene.schedule(group="etl")
        with pytest.raises(errors.InUse):
            store.groups.delete(TENANT, "etl", expected=1)
        scene.delete(schedule)
        assert not store.groups.delete(TENANT, "etl", expected=2)
        assert store.groups.delete(TENANT, "etl", expected=1)
        assert not store.groups.delete(TENANT, "etl", expected=1)
        assert store.groups.find(TENANT, "etl") is None
        scene.group("etl")

    def test_schedules_are_counted_by_their_group(self, store: Store) -> None:
        scene = Scene(store)
        for name in ("etl", "empty"):
            scene.group(name)
        moved = scene.schedule(group="etl")
        scene.schedule(group="etl")
        scene.delete(scene.schedule(group="etl"))
        scene.schedule()
        names = ["etl", "empty", "default"]
        counts = store.groups.schedules(TENANT, names)
        assert [counts.get(name, 0) for name in names] == [2, 0, 1]
        scene.edit(moved)
        counts = store.groups.schedules(TENANT, names)
        assert [counts.get(name, 0) for name in names] == [1, 0, 2]

    def test_a_new_tenant_sees_no_group_of_an_old_one_of_its_name(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.tenant("other")
        scene.group("etl", tenant="other")
        scene.profile("slow", tenant="other")
        assert store.tenants.delete("other", expected=1)
        assert store.groups.find("other", "default") is None
        scene.tenant("other")
        page = store.groups.page("other", limit=9, after=None)
        assert [group.name for group in page.items] == ["default"]
        assert store.profiles.page("other", limit=9, after=None).items == ()


class TestProfiles:
    def test_what_is_written_is_read_again(self, store: Store) -> None:
        settings = PolicySettings(
            max_runtime=timedelta(microseconds=1500),
            on_overlap="skip",
            misfire="none",
            misfire_window=timedelta(hours=1),
            retries=RetriesSettings(max=2, factor=1.5),
            deadline=timedelta(minutes=5),
            preemptible=False,
            delivery="at_most_once",
            sandbox=SandboxSettings(rw_paths=("/srv",)),
        )
        profile = Scene(store).profile("slow", settings=settings, description="x")
        assert store.profiles.find(TENANT, "slow") == profile
        assert store.profiles.find("other", "slow") is None

    def test_a_profile_counts_only_where_it_is_expected(self, store: Store) -> None:
        profile = Scene(store).profile("slow")
        assert not store.profiles.put(profile, expected=None)
        changed = replace(profile, revision=2, description="new")
        assert not store.profiles.put(changed, expected=2)
        assert store.profiles.find(TENANT, "slow") == profile
        assert store.profiles.put(changed, expected=1)
        assert store.profiles.find(TENANT, "slow") == changed

    def test_profiles_are_listed_by_name(self, store: Store) -> None:
        scene = Scene(store)
        for name in ("b", "c", "a"):
            scene.profile(name)
        first = store.profiles.page(TENANT, limit=2, after=None)
        rest = store.profiles.page(TENANT, limit=2, after=first.next)
        assert [p.name for p in first.items + rest.items] == ["a", "b", "c"]
        assert rest.next is None

    @pytest.mark.parametrize("user", ["schedule", "group", "tenant"])
    def test_a_profile_in_use_stays_and_who_uses_it_is_named(
        self, store: Store, user: str
    ) -> None:
        scene = Scene(store)
        scene.profile("slow")
        used_by = scene.schedule(
            name="nightly", profile="slow" if user == "schedule" else None
        )
        group = scene.group("etl", profile="slow" if user == "group" else None)
        if user == "tenant":
            scene.tenant(profile="slow")
        who = {"schedule": "nightly", "group": "etl", "tenant": TENANT}[user]
        with pytest.raises(errors.InUse, match=f"{user}.*{who}"):
            store.profiles.delete(TENANT, "slow", expected=1)
        if user == "schedule":
            scene.edit(used_by)
        elif user == "group":
            scene.regroup(group, profile=None)
        else:
            scene.tenant(profile=None)
        assert not store.profiles.delete(TENANT, "slow", expected=2)
        assert store.profiles.delete(TENANT, "slow", expected=1)
        assert not store.profiles.delete(TENANT, "slow", expected=1)
        assert store.profiles.find(TENANT, "slow") is None

    def test_a_deleted_schedule_uses_no_profile(self, store: Store) -> None:
        scene = Scene(store)
        scene.profile("slow")
        scene.delete(scene.schedule(profile="slow"))
        assert store.profiles.delete(TENANT, "slow", expected=1)

    def test_uses_are_counted_by_who_refers_to_it(self, store: Store) -> None:
        scene = Scene(store)
        for name in ("slow", "unused"):
            scene.profile(name)
        scene.tenant("other")
        scene.profile("slow", tenant="other")
        scene.schedule(tenant="other", profile="slow")
        for _ in range(2):
            scene.schedule(profile="slow")
        scene.delete(scene.schedule(profile="slow"))
        scene.group("etl", profile="slow")
        scene.tenant(profile="slow")
        uses = store.profiles.uses(TENANT, ["slow", "unused"])
        assert uses["slow"] == ProfileUse(schedules=2, groups=1, tenants=1)
        nothing = ProfileUse(schedules=0, groups=0, tenants=0)
        assert uses.get("unused", nothing) == nothing


class TestTenants:
    def test_profile_limit_and_retention_of_a_tenant_are_kept(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.profile("slow")
        written: Tenant = scene.tenant(
            profile="slow",
            max_concurrent=7,
            retention=RetentionSettings(runs=3, age=timedelta(days=1)),
        )
        assert store.tenants.find(TENANT) == written

    def test_a_profile_that_is_not_there_is_refused(self, store: Store) -> None:
        scene = Scene(store)
        before = store.tenants.find(TENANT)
        with pytest.raises(errors.NotFound):
            scene.tenant(profile="slow")
        assert store.tenants.find(TENANT) == before
        with pytest.raises(errors.NotFound):
            scene.tenant("other", profile="slow")
        assert store.tenants.find("other") is None
