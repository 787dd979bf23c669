"""What is owed to hooks, and what they say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony.model.hook import FollowUp, Hook, HookKind
from crony.model.lease import Holding
from crony.model.run import ErrorEntry, Run
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Origin, Reason, RunState
from crony.model.worker import Worker
from crony.storage.contract import ScheduleQuery, Store
from crony.testing.storage.scene import TENANT, Scene, second

ALL = frozenset(HookKind)
INTERVAL = timedelta(seconds=10)


def owed(scene: Scene) -> list[tuple[HookKind, int, int]]:
    """Return the kind, attempt and number of what is owed, oldest first."""
    items = scene.store.runs.follow_ups(limit=99)
    return [(item.kind, item.attempt, item.number) for item in items]


def started(scene: Scene, **changes: object) -> tuple[Run, Worker, Holding]:
    """Start a run that has hooks."""
    changes = {"hooks": ALL, "hook_interval": INTERVAL, **changes}
    start = (scene.now - second(0)).total_seconds()
    (run,) = scene.due(scene.schedule(), start, **changes)
    worker = scene.worker()
    (item,) = scene.start(worker)
    return run, worker, item


class TestFollowUps:
    @pytest.mark.parametrize(
        ("state", "kind"),
        [
            (AttemptState.FAILED, HookKind.ERROR),
            (AttemptState.TIMED_OUT, HookKind.ERROR),
            (AttemptState.SUCCEEDED, HookKind.SUCCESS),
            (AttemptState.CANCELLED, None),
        ],
    )
    def test_the_end_of_an_attempt_leaves_what_is_owed_to_its_hook(
        self, store: Store, state: AttemptState, kind: HookKind | None
    ) -> None:
        scene = Scene(store)
        run, worker, item = started(scene)
        scene.after(3)
        scene.report(worker, item, state)
        expected = []
        if kind is not None:
            expected.append(
                FollowUp(
                    tenant=TENANT,
                    schedule=run.schedule,
                    run=run.id,
                    attempt=1,
                    kind=kind,
                    number=1,
                    at=scene.now,
                )
            )
        assert list(store.runs.follow_ups(limit=9)) == expected

    @pytest.mark.parametrize("state", [AttemptState.FAILED, AttemptState.SUCCEEDED])
    def test_nothing_is_owed_to_a_hook_that_a_run_does_not_have(
        self, store: Store, state: AttemptState
    ) -> None:
        scene = Scene(store)
        _, worker, item = started(scene, hooks=frozenset({HookKind.PROGRESS}))
        scene.report(worker, item, state)
        assert owed(scene) == []

    def test_each_failed_attempt_is_followed_also_when_it_is_tried_again(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        _, worker, item = started(scene)
        scene.report(worker, item, AttemptState.FAILED, retry_at=second(1))
        scene.after(1)
        (again,) = scene.start(worker)
        scene.report(worker, again)
        assert owed(scene) == [(HookKind.ERROR, 1, 1), (HookKind.SUCCESS, 2, 1)]

    def test_a_start_that_failed_is_followed(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0, hooks=ALL)
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        item = Holding(run.id, offer.token)
        scene.report(worker, item, AttemptState.FAILED, reason=Reason.START_FAILED)
        assert owed(scene) == [(HookKind.ERROR, 1, 1)]

    @pytest.mark.parametrize("by", ["expiry", "reclaim"])
    def test_of_lost_attempts_only_the_last_is_followed(
        self, store: Store, by: str
    ) -> None:
        scene = Scene(store)
        _, worker, _ = started(scene, max_lost=2)
        for number in (0, 1):
            assert owed(scene) == []
            if by == "expiry":
                scene.after(60)
                scene.expire()
            else:
                store.leases.reclaim(
                    worker.tenant,
                    worker.id,
                    session="session",
                    sequence=1,
                    holding=(),
                    now=scene.now,
                )
            if not number:
                scene.start(worker)
        assert owed(scene) == [(HookKind.ERROR, 2, 1)]

    def test_a_run_that_was_stopped_and_lost_owes_nothing(self, store: Store) -> None:
        scene = Scene(store)
        run, _, _ = started(scene, max_lost=1)
        store.runs.cancel(TENANT, run.id, now=scene.now)
        scene.after(60)
        scene.expire()
        assert scene.run(run).state is RunState.CANCELLED
        assert owed(scene) == []

    def test_a_preempted_attempt_is_not_followed(self, store: Store) -> None:
        scene = Scene(store)
        _, worker, item = started(scene)
        scene.report(worker, item, AttemptState.PREEMPTED)
        assert owed(scene) == []

    def test_a_repeated_report_leaves_nothing_twice(self, store: Store) -> None:
        scene = Scene(store)
        _, worker, item = started(scene)
        for _ in range(2):
            scene.report(worker, item, AttemptState.FAILED)
        (only,) = store.runs.follow_ups(limit=9)
        store.runs.followed([only])
        assert owed(scene) == []
        scene.report(worker, item, AttemptState.FAILED)
        assert owed(scene) == []

    def test_they_stay_until_they_were_followed_the_oldest_first(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        for _ in range(3):
            _, worker, item = started(scene)
            scene.report(worker, item)
            scene.after(1)
        first, following = store.runs.follow_ups(limit=2)
        assert (first.at, following.at) == (second(0), second(1))
        store.runs.followed([first, first])
        store.runs.followed([first])
        assert [item.at for item in store.runs.follow_ups(limit=9)] == [
            second(1),
            second(2),
        ]

    def test_a_hooks_run_has_no_hooks_of_its_own(self, store: Store) -> None:
        scene = Scene(store)
        run, worker, item = started(scene)
        scene.report(worker, item)
        store.runs.followed(store.runs.follow_ups(limit=9))
        scene.hook(run, HookKind.SUCCESS)
        (hooks_item,) = scene.start(worker)
        scene.report(worker, hooks_item, AttemptState.FAILED)
        assert owed(scene) == []


class TestPulse:
    def test_a_progress_hook_is_due_an_interval_after_the_start_and_each_after(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.after(0.5)
        run, _, _ = started(scene)
        assert store.leases.earliest() == second(10.5)
        for at in (10.5, 20.5):
            just_before = second(at) - timedelta(milliseconds=1)
            assert store.leases.pulse(now=just_before, limit=9) == 0
            assert store.leases.pulse(now=second(at), limit=9) == 1
            assert store.leases.pulse(now=second(at), limit=9) == 0
        numbers = [(HookKind.PROGRESS, 1, 1), (HookKind.PROGRESS, 1, 2)]
        assert owed(scene) == numbers
        items = store.runs.follow_ups(limit=9)
        assert [item.at for item in items] == [second(10.5), second(20.5)]
        assert {item.run for item in items} == {run.id}

    def test_those_that_were_slept_over_are_left_out(self, store: Store) -> None:
        scene = Scene(store)
        started(scene)
        assert store.leases.pulse(now=second(35), limit=9) == 1
        assert owed(scene) == [(HookKind.PROGRESS, 1, 1)]
        assert store.leases.pulse(now=second(39.999), limit=9) == 0
        assert store.leases.earliest() == second(40)
        assert store.leases.pulse(now=second(40), limit=9) == 1
        assert owed(scene)[1:] == [(HookKind.PROGRESS, 1, 2)]

    def test_the_next_attempt_is_counted_from_its_own_start(self, store: Store) -> None:
        scene = Scene(store)
        _, worker, item = started(scene)
        store.leases.pulse(now=second(10), limit=9)
        scene.after(12)
        scene.report(worker, item, AttemptState.FAILED, retry_at=scene.now)
        assert store.leases.pulse(now=second(20), limit=9) == 0
        scene.after(3)
        scene.start(worker)
        assert store.leases.pulse(now=second(24.999), limit=9) == 0
        assert store.leases.pulse(now=second(25), limit=9) == 1
        assert owed(scene) == [
            (HookKind.PROGRESS, 1, 1),
            (HookKind.ERROR, 1, 1),
            (HookKind.PROGRESS, 2, 1),
        ]

    @pytest.mark.parametrize("state", ["leased", "stopping", "over"])
    def test_only_of_running_runs(self, store: Store, state: str) -> None:
        scene = Scene(store)
        if state == "leased":
            scene.due(scene.schedule(), 0, hooks=ALL, hook_interval=INTERVAL)
            scene.lease(scene.worker())
        else:
            run, worker, item = started(scene)
            store.runs.cancel(TENANT, run.id, now=scene.now)
            if state == "over":
                scene.report(worker, item, AttemptState.CANCELLED)
        assert store.leases.pulse(now=second(10), limit=9) == 0
        assert owed(scene) == []

    def test_no_hook_no_pulse(self, store: Store) -> None:
        scene = Scene(store)
        started(scene, hooks=frozenset({HookKind.ERROR}), hook_interval=None)
        assert store.leases.pulse(now=second(50), limit=9) == 0

    def test_no_more_than_the_limit(self, store: Store) -> None:
        scene = Scene(store)
        for _ in range(3):
            started(scene)
        assert store.leases.pulse(now=second(10), limit=2) == 2
        assert store.leases.pulse(now=second(10), limit=2) == 1
        assert store.leases.pulse(now=second(10), limit=2) == 0


def heard(
    scene: Scene, kind: HookKind, state: AttemptState, **changes: object
) -> tuple[Schedule, Run]:
    """Let a hook of a running run end; return the schedule and the run."""
    run, worker, _ = started(scene)
    scene.after(1)
    scene.hook(run, kind)
    (item,) = scene.start(worker)
    scene.after(1)
    for _ in range(2):
        scene.report(worker, item, state, **changes)
    schedule = scene.store.schedules.find(TENANT, run.schedule)
    assert schedule is not None
    return schedule, run


class TestSays:
    def test_what_an_error_hook_says_is_an_error_of_the_run_it_followed(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule, run = heard(
            scene, HookKind.ERROR, AttemptState.SUCCEEDED, says="the disk is full"
        )
        (entry,) = store.runs.errors(TENANT, [schedule.id], limit=9)[schedule.id]
        assert entry == ErrorEntry(
            run=run.id,
            attempt=1,
            source="hook",
            at=scene.now,
            reason=None,
            text="the disk is full",
            truncated=False,
        )
        assert scene.run(run).state is RunState.RUNNING

    def test_it_stands_next_to_the_error_of_the_task(self, store: Store) -> None:
        scene = Scene(store)
        run, worker, item = started(scene)
        scene.report(worker, item, AttemptState.FAILED)
        scene.after(1)
        scene.hook(run, HookKind.ERROR)
        (item,) = scene.start(worker)
        scene.report(worker, item, says="look at host a")
        entries = store.runs.errors(TENANT, [run.schedule], limit=9)[run.schedule]
        assert [(e.source, e.run, e.text) for e in entries] == [
            ("hook", run.id, "look at host a"),
            ("task", run.id, "exit code 1"),
        ]

    @pytest.mark.parametrize("kind", list(HookKind))
    def test_the_failure_of_a_hook_is_an_error_of_the_run_it_followed(
        self, store: Store, kind: HookKind
    ) -> None:
        scene = Scene(store)
        schedule, run = heard(scene, kind, AttemptState.FAILED, error="exit code 7")
        (entry,) = store.runs.errors(TENANT, [schedule.id], limit=9)[schedule.id]
        assert (entry.source, entry.run, entry.attempt) == ("hook", run.id, 1)
        assert entry.text == "exit code 7"
        assert entry.reason is Reason.EXIT

    def test_what_a_failed_error_hook_said_is_not_lost(self, store: Store) -> None:
        scene = Scene(store)
        schedule, _ = heard(scene, HookKind.ERROR, AttemptState.FAILED, says="hear me")
        entries = store.runs.errors(TENANT, [schedule.id], limit=9)[schedule.id]
        assert any("hear me" in entry.text for entry in entries)

    def test_what_a_progress_hook_says_is_the_newest_progress_of_its_run(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        says = 'rows so far\n{"percent": 40, "message": "half way"}\n'
        schedule, run = heard(
            scene, HookKind.PROGRESS, AttemptState.SUCCEEDED, says=says
        )
        (entry,) = store.runs.progress(TENANT, [schedule.id], limit=9)[schedule.id]
        assert (entry.source, entry.run, entry.attempt) == ("hook", run.id, 1)
        assert (entry.percent, entry.message) == (40, "half way")
        assert entry.at == scene.now
        assert scene.run(run).progress == entry
        told = [e for e in scene.events() if e.type == "run.progress"]
        assert [(e.subject, e.at) for e in told] == [(run.id, scene.now)]
        assert told[0].run is not None
        assert told[0].run.progress == entry

    def test_a_run_that_is_over_keeps_its_own_progress(self, store: Store) -> None:
        scene = Scene(store)
        run, worker, item = started(scene)
        scene.report(worker, item)
        scene.after(1)
        scene.hook(run, HookKind.SUCCESS)
        (item,) = scene.start(worker)
        scene.report(worker, item, says="all is well")
        (entry,) = store.runs.progress(TENANT, [run.schedule], limit=9)[run.schedule]
        assert entry.message == "all is well"
        assert scene.run(run).progress is None
        assert "run.progress" not in scene.told(run.id)

    def test_a_hook_that_says_nothing_leaves_nothing(self, store: Store) -> None:
        scene = Scene(store)
        schedule, run = heard(
            scene, HookKind.PROGRESS, AttemptState.SUCCEEDED, says=None
        )
        assert not store.runs.progress(TENANT, [schedule.id], limit=9).get(schedule.id)
        assert not store.runs.errors(TENANT, [schedule.id], limit=9).get(schedule.id)
        assert scene.run(run).progress is None

    def test_a_hooks_end_says_nothing_of_whether_a_schedule_fails(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        run, worker, item = started(scene)
        scene.report(worker, item, AttemptState.FAILED)
        scene.after(1)
        hook = scene.hook(run, HookKind.ERROR)
        (item,) = scene.start(worker)
        scene.report(worker, item)
        failing = ScheduleQuery(failing=True)
        page = store.schedules.page(TENANT, failing, limit=9, after=None)
        assert [schedule.id for schedule in page.items] == [run.schedule]
        recent = store.runs.recent(TENANT, [run.schedule], limit=9)[run.schedule]
        assert [shown.id for shown in recent] == [run.id]
        shown = scene.runs(origin=Origin.HOOK)
        assert [one.id for one in shown] == [hook.id]
        assert (shown[0].hook, shown[0].hook_attempt) == (HookKind.ERROR, 1)


class TestKept:
    def test_the_hooks_of_a_schedule_are_kept(self, store: Store) -> None:
        hooks = {
            HookKind.ERROR: Hook(task={"command": ["mail"]}),
            HookKind.PROGRESS: Hook(
                task={"command": ["look"]}, interval=timedelta(seconds=30)
            ),
        }
        schedule = Scene(store).schedule(hooks=hooks)
        assert store.schedules.find(TENANT, schedule.id) == schedule
        assert (
            store.schedules.definition(schedule.tenant, schedule.id, 1)
            == schedule.definition
        )
