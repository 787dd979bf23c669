"""What was due under which version of a schedule, and what was made ahead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crony import errors
from crony.model.group import Group
from crony.model.hook import HookKind
from crony.model.lease import Holding
from crony.model.schedule import Schedule
from crony.model.state import RunState
from crony.storage.contract import Creation, ScheduleQuery, Store
from crony.testing.storage.scene import LINE, TENANT, Scene, second

JUST = timedelta(milliseconds=1)


def brief(store: Store, schedule: Schedule) -> list[tuple[int, float, bool, str]]:
    """Return revision, second, held and rules of each version, newest first."""
    return [
        (v.revision, (v.since - second(0)).total_seconds(), v.held, v.rules)
        for v in store.schedules.versions(
            schedule.tenant, schedule.id, until=None, limit=99
        )
    ]


class TestVersions:
    def test_the_first_begins_just_before_the_creation(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(created_at=second(1), rules="2026a", description="x")
        (version,) = store.schedules.versions(
            schedule.tenant, schedule.id, until=None, limit=9
        )
        assert version.since == second(1) - JUST
        assert (version.schedule, version.revision) == (schedule.id, 1)
        assert version.definition == schedule.definition
        assert (version.held, version.rules) == (False, "2026a")

    def test_an_edit_begins_the_next(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(description="old")
        scene.after(5)
        scene.edit(schedule, description="new")
        scene.after(5)
        scene.edit(schedule, description="newest")
        versions = store.schedules.versions(
            schedule.tenant, schedule.id, until=None, limit=9
        )
        assert [v.definition.description for v in versions] == ["newest", "new", "old"]
        assert [v.since for v in versions[:2]] == [second(10), second(5)]
        assert [v.revision for v in versions] == [3, 2, 1]

    def test_a_groups_pause_and_other_rules_begin_one_under_the_same_revision(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        group = scene.group("etl")
        schedule = scene.schedule(group="etl", rules="2026a")
        scene.after(5)
        scene.regroup(group, paused=True, since=scene.now, carried=False)
        assert scene.hold(schedule, held=True)
        scene.after(5)
        for rules in ("2026b", "2026b"):
            stored = scene.stored(schedule)
            changed = replace(stored, rules=rules)
            assert store.schedules.update(
                changed, limit=1, expected=stored, settled=(), now=scene.now
            )[0]
        assert brief(store, schedule) == [
            (1, 10, True, "2026b"),
            (1, 5, True, "2026a"),
            (1, -0.001, False, "2026a"),
        ]
        assert scene.stored(schedule).held
        assert scene.stored(schedule).rules == "2026b"

    def test_the_cursor_alone_begins_none(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.due(schedule, 0, 3)
        stored = scene.stored(schedule)
        moved = replace(stored, cursor=second(2))
        assert store.schedules.update(
            moved, limit=1, expected=stored, settled=(), now=second(1)
        )[0]
        assert len(brief(store, schedule)) == 1

    def test_an_edit_that_did_not_count_begins_none(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        changed = replace(schedule, revision=2)
        stale = replace(schedule, revision=7)
        assert not store.schedules.update(
            changed, limit=1, expected=stale, settled=(), now=second(1)
        )[0]
        assert len(brief(store, schedule)) == 1

    def test_until_leaves_out_what_began_then_or_later(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        for _ in range(3):
            scene.after(5)
            scene.edit(schedule)

        def revisions(until: float | None, limit: int = 9) -> list[int]:
            instant = None if until is None else second(until)
            found = store.schedules.versions(
                schedule.tenant, schedule.id, until=instant, limit=limit
            )
            return [version.revision for version in found]

        assert revisions(None) == [4, 3, 2, 1]
        assert revisions(None, limit=2) == [4, 3]
        assert revisions(10) == [2, 1]
        assert revisions(10.001, limit=1) == [3]
        assert revisions(-0.001) == []

    def test_those_of_a_deleted_schedule_stay(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.due(schedule, 0)
        scene.delete(schedule)
        (version,) = store.schedules.versions(
            schedule.tenant, schedule.id, until=None, limit=9
        )
        assert version.definition == schedule.definition


class TestGroupOfASchedule:
    def test_group_and_profile_must_be_there(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant("other")
        scene.group("etl", tenant="other")
        scene.profile("slow", tenant="other")
        schedule = scene.schedule()
        missing: tuple[dict[str, object], ...] = ({"group": "etl"}, {"profile": "slow"})
        for changes in missing:
            with pytest.raises(errors.NotFound):
                scene.schedule(limit=1, **changes)
            with pytest.raises(errors.NotFound):
                scene.edit(schedule, limit=1, **changes)
        assert scene.stored(schedule) == schedule
        assert store.tenants.usage(TENANT).schedules == 1

    def test_both_are_kept(self, store: Store) -> None:
        scene = Scene(store)
        scene.group("etl")
        scene.profile("slow")
        schedule = scene.schedule(group="etl", profile="slow")
        assert scene.stored(schedule) == schedule

    @pytest.mark.parametrize("held", [True, False])
    def test_a_schedule_that_missed_its_groups_pause_or_resume_is_contended(
        self, store: Store, *, held: bool
    ) -> None:
        scene = Scene(store)
        scene.group("etl", paused=not held)
        with pytest.raises(errors.Contended):
            scene.schedule(group="etl", held=held)
        fine = scene.schedule(group="etl", held=not held)
        with pytest.raises(errors.Contended):
            scene.hold(fine, held=held)
        elsewhere = scene.schedule()
        with pytest.raises(errors.Contended):
            scene.edit(elsewhere, group="etl", held=held)
        assert scene.stored(fine) == fine
        assert scene.stored(elsewhere) == elsewhere
        assert len(brief(store, fine)) == 1

    def test_a_list_may_be_of_one_group(self, store: Store) -> None:
        scene = Scene(store)
        scene.group("etl")
        wanted = scene.schedule(group="etl")
        scene.schedule()
        page = store.schedules.page(
            TENANT, ScheduleQuery(group="etl"), limit=9, after=None
        )
        assert page.items == (wanted,)


class TestInGroup:
    def test_those_held_and_those_not_are_told_apart_by_id(self, store: Store) -> None:
        scene = Scene(store)
        group = scene.group("etl")
        made = [scene.schedule(group="etl") for _ in range(4)]
        scene.schedule()
        scene.delete(scene.schedule(group="etl"))

        def names(*, held: bool, limit: int = 9) -> list[str]:
            found = store.schedules.in_group(TENANT, "etl", held=held, limit=limit)
            return [schedule.id for schedule in found]

        ids = sorted(schedule.id for schedule in made)
        assert names(held=False) == ids
        assert names(held=False, limit=3) == ids[:3]
        assert names(held=True) == []
        scene.regroup(group, paused=True, carried=False)
        scene.hold(made[1], held=True)
        assert names(held=True) == [made[1].id]
        assert made[1].id not in names(held=False)
        (found,) = store.schedules.in_group(TENANT, "etl", held=True, limit=1)
        assert found == scene.stored(made[1])


class TestUnfinished:
    def test_schedules_with_unfinished_runs_are_told_by_id(self, store: Store) -> None:
        scene = Scene(store)
        pending, leased, over, edited, gone = (scene.schedule() for _ in range(5))
        scene.due(leased, 0)
        scene.due(gone, 1)
        worker = scene.worker()
        scene.start(worker)
        scene.delete(gone)
        scene.due(pending, 1, 2)
        scene.due(over, 1, state=RunState.MISSED)
        scene.due(edited, 1)
        scene.edit(edited)
        scene.hook(scene.runs(schedule=over.id)[0], HookKind.SUCCESS)
        expected = sorted([pending.id, leased.id])

        def unfinished(after: str | None = None, limit: int = 9) -> list[str]:
            found = store.schedules.unfinished(TENANT, limit=limit, after=after)
            return [schedule.id for schedule in found]

        assert unfinished() == expected
        assert unfinished(limit=1) == expected[:1]
        assert unfinished(after=expected[0]) == expected[1:]
        assert not store.schedules.unfinished("other", limit=9, after=None)


class TestLimit:
    def test_a_limit_of_its_own_admits_more_and_tells_their_lines(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        runs = [run.id for run in scene.due(schedule, 0, 0.1, 0.2)]
        stored = scene.stored(schedule)
        scene.after(1)
        assert store.schedules.limit([Creation(stored, 2)]) == {LINE}
        assert store.schedules.limit([Creation(stored, 2)]) == frozenset()
        assert scene.stored(schedule) == stored
        assert scene.leased(scene.worker()) == runs[:2]

    def test_a_lower_limit_takes_admission_from_what_is_not_leased(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=3)
        first, *_ = scene.due(schedule, 0, 0.1, 0.2)
        scene.after(1)
        assert not store.schedules.limit([Creation(scene.stored(schedule), 1)])
        assert scene.leased(scene.worker()) == [first.id]

    def test_a_limit_for_another_revision_changes_nothing(self, store: Store) -> None:
        scene = Scene(store)
        schedule, gone = scene.schedule(), scene.schedule()
        old = scene.stored(schedule)
        scene.edit(schedule, limit=1)
        scene.due(schedule, 1, 1.1)
        scene.delete(gone)
        scene.after(2)
        assert not store.schedules.limit([Creation(old, 5), Creation(gone, 5)])
        assert len(scene.leased(scene.worker())) == 1


class TestAhead:
    def test_schedules_with_occurrences_made_ahead_are_told_by_id(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        pending, leased, now, over, edited, running = (
            scene.schedule() for _ in range(6)
        )
        by_hand = scene.schedule(queue="slow")
        for schedule in (leased, running):
            scene.due(schedule, 1)
        worker = scene.worker()
        scene.lease(worker)
        (run,) = scene.runs(schedule=running.id)
        scene.after(1)
        scene.confirm(worker, Holding(run.id, scene.run(run).token))
        scene.now = second(0)
        scene.due(pending, 1, 2)
        scene.due(now, 0)
        scene.due(over, 1, state=RunState.MISSED)
        scene.due(edited, 1)
        scene.edit(edited)
        scene.manual(by_hand, scheduled_for=second(1))

        def ahead(after: str | None = None, limit: int = 9) -> list[str]:
            return list(
                store.schedules.ahead(TENANT, now=scene.now, limit=limit, after=after)
            )

        expected = sorted([pending.id, leased.id])
        assert ahead() == expected
        assert ahead(limit=1) == expected[:1]
        assert ahead(after=expected[0]) == expected[1:]
        assert not store.schedules.ahead("other", now=scene.now, limit=9, after=None)
        scene.after(1)
        assert ahead() == [pending.id]


def pause(scene: Scene, group: Group) -> Group:
    """Pause a group from now on."""
    return scene.regroup(group, paused=True, since=scene.now, carried=False)


class TestCarrying:
    def test_a_pause_is_uncarried_until_every_schedule_has_it(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        group = scene.group("etl")
        one, two = (scene.schedule(group="etl") for _ in range(2))
        assert not store.groups.uncarried(limit=9)
        paused = pause(scene, group)
        assert list(store.groups.uncarried(limit=9)) == [paused]
        assert not store.groups.carried(paused)
        scene.hold(one, held=True)
        assert not store.groups.carried(paused)
        scene.hold(two, held=True)
        assert store.groups.carried(paused)
        assert not store.groups.uncarried(limit=9)
        found = store.groups.find(TENANT, "etl")
        assert found == replace(paused, carried=True)

    def test_a_group_that_was_resumed_meanwhile_is_not_carried_as_paused(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        paused = pause(scene, scene.group("etl"))
        resumed = scene.regroup(paused, paused=False)
        assert not store.groups.carried(paused)
        assert list(store.groups.uncarried(limit=9)) == [resumed]
        assert store.groups.carried(resumed)

    def test_the_group_of_those_that_name_none_is_paused_as_any_other(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        default = store.groups.find(TENANT, "default")
        assert default is not None
        paused = pause(scene, default)
        assert not store.groups.carried(paused)
        with pytest.raises(errors.Contended):
            scene.schedule()
        scene.hold(schedule, held=True)
        assert store.groups.carried(paused)

    def test_those_of_all_tenants_are_told_and_no_more_than_the_limit(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.tenant("other")
        for tenant in (TENANT, "other"):
            pause(scene, scene.group("etl", tenant=tenant))
        tenants = {group.tenant for group in store.groups.uncarried(limit=9)}
        assert tenants == {TENANT, "other"}
        assert len(store.groups.uncarried(limit=1)) == 1
