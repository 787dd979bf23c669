"""Schedules: created, found, edited, deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crony import errors
from crony.model.policy import PolicySettings, RetriesSettings, SandboxSettings
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, RunState, ScheduleState
from crony.model.trigger import At, Cron, DstRule, Every
from crony.storage.contract import Creation, ScheduleQuery, Store
from crony.testing import factories
from crony.testing.storage.scene import TENANT, Scene, second


class TestCreateAll:
    def test_each_is_judged_as_if_alone_after_those_before_it(
        self, store: Store
    ) -> None:
        holder = Scene(store).schedule(name="taken")
        fresh = factories.make_schedule(name="a")
        batch = [
            fresh,
            factories.make_schedule(name="taken"),
            fresh,
            factories.make_schedule(group="none"),
            factories.make_schedule(profile="none"),
            factories.make_schedule(held=True),
            factories.make_schedule(name="a"),
            last := factories.make_schedule(name="b"),
            factories.make_schedule(name="c"),
        ]
        made = store.schedules.create_all(
            [Creation(each, 1) for each in batch], quota=3
        )
        assert [made[0], made[2], made[7]] == [True, False, True]
        refused = [errors.NameTaken, errors.NotFound, errors.NotFound]
        assert [type(made[n]) for n in (1, 3, 4)] == refused
        assert isinstance(made[1], errors.NameTaken)
        assert made[1].holder == holder.id
        assert isinstance(made[5], errors.Contended)
        assert isinstance(made[6], errors.NameTaken)
        assert isinstance(made[8], errors.QuotaExceeded)
        for each in (fresh, last):
            assert store.schedules.find(TENANT, each.id) == each
        page = store.schedules.page(TENANT, ScheduleQuery(), limit=10, after=None)
        assert len(page.items) == 3

    def test_nothing_is_made_of_nothing(self, store: Store) -> None:
        assert list(store.schedules.create_all([], quota=None)) == []


class TestCreate:
    def test_what_is_written_is_read_again(self, store: Store) -> None:
        policy = PolicySettings(
            max_runtime=timedelta(microseconds=1500),
            max_concurrent=3,
            retries=RetriesSettings(max=2, factor=1.5, max_backoff=timedelta(hours=2)),
            sandbox=SandboxSettings(cpu=0.5, ro_paths=("/usr", "/etc")),
        )
        for trigger in (
            Cron("30 2 * * *", "Europe/Berlin", DstRule("skip", "both")),
            Cron("@daily"),
            Every(timedelta(seconds=90)),
            Every("week", "America/Havana"),
            At(second(0.001)),
        ):
            schedule = factories.make_schedule(
                trigger=trigger,
                policy=policy,
                labels={"team": "data"},
                task={"command": ["a", "b"], "env": {"é": "\u2028"}},
                start_at=second(1),
                jitter=timedelta(milliseconds=3),
                max_runs=7,
            )
            store.schedules.create(schedule, limit=1, quota=None)
            assert store.schedules.find(TENANT, schedule.id) == schedule

    def test_the_same_id_again_is_a_repeat(self, store: Store) -> None:
        schedule = factories.make_schedule(name="a")
        assert store.schedules.create(schedule, limit=1, quota=1)
        assert not store.schedules.create(schedule, limit=1, quota=1)

    def test_a_taken_name_is_refused_and_its_holder_told(self, store: Store) -> None:
        holder = Scene(store).schedule(name="a")
        with pytest.raises(errors.NameTaken) as caught:
            store.schedules.create(
                factories.make_schedule(name="a"), limit=1, quota=None
            )
        assert caught.value.holder == holder.id

    def test_a_name_is_free_in_another_tenant(self, store: Store) -> None:
        Scene(store).schedule(name="a")
        store.tenants.put(factories.make_tenant(name="other"), expected=None)
        other = factories.make_schedule(name="a", tenant="other")
        assert store.schedules.create(other, limit=1, quota=None)
        assert store.schedules.find(TENANT, other.id) is None
        assert store.schedules.find("other", "a") == other

    def test_one_more_than_the_quota_is_refused(self, store: Store) -> None:
        store.schedules.create(factories.make_schedule(), limit=1, quota=1)
        with pytest.raises(errors.QuotaExceeded):
            store.schedules.create(factories.make_schedule(), limit=1, quota=1)

    def test_instants_are_cut_to_the_millisecond(self, store: Store) -> None:
        schedule = Scene(store).schedule(cursor=second(1.0019))
        found = store.schedules.find(TENANT, schedule.id)
        assert found is not None
        assert found.cursor == second(1.001)

    def test_what_the_caller_changes_later_is_not_stored(self, store: Store) -> None:
        labels = {"team": "data"}
        schedule = Scene(store).schedule(labels=labels)
        labels["team"] = "other"
        found = store.schedules.find(TENANT, schedule.id)
        assert found is not None
        assert found.definition.labels == {"team": "data"}


class TestList:
    @pytest.mark.parametrize("sort", ["name", "next_run_at", "created_at"])
    def test_pages_follow_each_other_and_what_has_none_comes_last(
        self, store: Store, sort: str
    ) -> None:
        scene = Scene(store)
        for number in (3, 1, 2):
            scene.schedule(
                name=f"n{number}", cursor=second(number), created_at=second(number)
            )
        for _ in range(2):
            scene.schedule(name=None, cursor=None, created_at=second(9))
        query = ScheduleQuery(sort=sort)
        seen: list[Schedule] = []
        after = None
        while True:
            page = store.schedules.page(TENANT, query, limit=2, after=after)
            seen += page.items
            after = page.next
            if after is None:
                break
        assert [s.definition.name for s in seen] == ["n1", "n2", "n3", None, None]
        assert seen[3].id < seen[4].id

    def test_each_restriction_leaves_out_what_does_not_match(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        wanted = scene.schedule(
            name="nightly-report",
            queue="slow",
            labels={"team": "data"},
            trigger=Cron("@daily"),
            state=ScheduleState.PAUSED,
        )
        scene.schedule(name="other", labels={"team": "web"})
        for query in (
            ScheduleQuery(queue="slow"),
            ScheduleQuery(label=("team", "data")),
            ScheduleQuery(state=ScheduleState.PAUSED),
            ScheduleQuery(trigger="cron"),
            ScheduleQuery(text="LY-rep"),
        ):
            page = store.schedules.page(TENANT, query, limit=9, after=None)
            assert page.items == (wanted,)

    def test_failing_is_the_newest_ended_run_that_did_not_succeed(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=2)
        scene.due(schedule, 1, 2)
        worker = scene.worker()
        scene.after(2)
        older, newer = scene.start(worker)
        scene.report(worker, newer, AttemptState.FAILED)
        scene.report(worker, older)
        scene.due(schedule, 3, state=RunState.MISSED)
        failing = ScheduleQuery(failing=True)
        page = store.schedules.page(TENANT, failing, limit=9, after=None)
        assert [s.id for s in page.items] == [schedule.id]
        fine = ScheduleQuery(failing=False)
        assert not store.schedules.page(TENANT, fine, limit=9, after=None).items


class TestUpdate:
    def test_an_edit_keeps_the_old_definition_for_its_runs(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule(description="old")
        assert scene.edit(schedule, description="new")
        old = store.schedules.definition(schedule.tenant, schedule.id, 1)
        assert old is not None
        assert old.description == "old"
        assert scene.stored(schedule).definition.description == "new"

    def test_an_edit_of_an_old_revision_or_cursor_changes_nothing(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        changed = replace(schedule, revision=2)
        for expected in (
            replace(schedule, revision=7),
            replace(schedule, cursor=second(99)),
            replace(schedule, cursor=None),
        ):
            counted, ready = store.schedules.update(
                changed, limit=1, expected=expected, settled=(), now=scene.now
            )
            assert not counted
            assert not ready
        assert scene.stored(schedule) == schedule

    def test_what_was_not_confirmed_is_withdrawn_and_not_counted(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=9)
        now, leased, pending = scene.due(schedule, 0, 3, 4)
        worker = scene.worker()
        offers = scene.lease(worker, slots=2)
        assert [offer.run.id for offer in offers] == [now.id, leased.id]
        assert scene.stored(schedule).occurrences == 3
        scene.edit(schedule, limit=9)
        assert scene.run(leased).state is RunState.WITHDRAWN
        assert scene.run(leased).token == 1
        assert scene.run(leased).attempts == ()
        assert scene.run(pending).state is RunState.WITHDRAWN
        assert scene.run(now).state is RunState.LEASED
        assert scene.stored(schedule).occurrences == 1

    def test_a_run_by_hand_is_not_withdrawn(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        run = scene.manual(schedule, scheduled_for=second(3))
        scene.edit(schedule)
        assert scene.run(run).state is RunState.PENDING

    def test_settled_occurrences_are_inserted_in_the_same_step(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        scene.after(5)
        settled = factories.make_run(schedule, scheduled_for=second(5))
        changed = replace(schedule, revision=2, cursor=second(6), occurrences=99)
        counted, ready = store.schedules.update(
            changed, limit=1, expected=schedule, settled=[settled], now=scene.now
        )
        assert counted
        assert ready == {(TENANT, "default")}
        assert scene.run(settled).state is RunState.PENDING
        assert scene.stored(schedule).occurrences == 1

    def test_a_taken_name_is_refused_and_nothing_changes(self, store: Store) -> None:
        scene = Scene(store)
        scene.schedule(name="a")
        schedule = scene.schedule(name="b")
        with pytest.raises(errors.NameTaken):
            scene.edit(schedule, name="a")
        assert scene.stored(schedule) == schedule

    def test_the_cursor_alone_is_worked_out_anew_under_the_same_revision(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        now, ahead = scene.due(schedule, 0, 3)
        found = scene.stored(schedule)
        moved = replace(found, cursor=second(2))
        for expected in (found, moved):
            counted, _ = store.schedules.update(
                moved, limit=1, expected=expected, settled=(), now=scene.now
            )
            assert counted
            assert scene.stored(schedule) == replace(moved, occurrences=1)
        assert scene.run(now).state is RunState.PENDING
        assert scene.run(ahead).state is RunState.WITHDRAWN
        assert not store.schedules.update(
            moved, limit=1, expected=found, settled=(), now=scene.now
        )[0]


class TestWalk:
    def test_all_that_have_a_cursor_are_met_once_by_tenant_and_id(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        made = [scene.schedule(tenant="other"), scene.schedule(tenant="before")]
        made += [scene.schedule() for _ in range(3)]
        made += [
            scene.schedule(tenant="other"),
            scene.schedule(state=ScheduleState.PAUSED),
        ]
        scene.schedule(cursor=None, state=ScheduleState.FINISHED)
        scene.delete(scene.schedule())
        met: list[Schedule] = []
        after = None
        for _ in range(9):
            page, after = store.schedules.walk(limit=2, after=after)
            assert len(page) <= 2
            met.extend(page)
            if after is None:
                break
        assert met == sorted(made, key=lambda schedule: (schedule.tenant, schedule.id))

    def test_an_empty_store_is_walked_at_once(self, store: Store) -> None:
        assert store.schedules.walk(limit=2, after=None) == ((), None)


class TestDue:
    def test_the_earliest_cursors_of_active_schedules_come_first(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        late, early = (scene.schedule(cursor=second(n)) for n in (2, 1))
        scene.schedule(cursor=second(0), state=ScheduleState.PAUSED)
        scene.schedule(cursor=second(9), tenant="other")
        due = store.schedules.due(second(2), limit=9)
        assert [schedule.id for schedule in due] == [early.id, late.id]
        assert len(store.schedules.due(second(2), limit=1)) == 1
        assert store.schedules.earliest() == second(1)

    def test_nothing_is_due_in_an_empty_store(self, store: Store) -> None:
        assert store.schedules.earliest() is None
        assert not store.schedules.due(second(99), limit=9)
