"""Every change of a run's state is told, with the run as it is then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crony.model.hook import HookKind
from crony.model.lease import Holding, Standing
from crony.model.policy import REPLACE, SKIP
from crony.model.state import AttemptState, Origin, RunState
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.storage.preemption import preempted
from crony.testing.storage.scene import TENANT, Scene, second


def lines(scene: Scene, run: str) -> list[tuple[str, float]]:
    """Return the word and the second of each event of a run."""
    return [
        (event.type.removeprefix("run."), (event.at - second(0)).total_seconds())
        for event in scene.events()
        if event.subject == run
    ]


class TestRuns:
    def test_a_runs_life_is_told_in_order_each_at_its_instant(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(name="a")
        scene.after(0.25)
        (run,) = scene.due(schedule, 2)
        worker = scene.worker()
        scene.after(1)
        (offer,) = scene.lease(worker)
        scene.after(1)
        scene.confirm(worker, Holding(run.id, offer.token))
        scene.after(1)
        item = Holding(run.id, offer.token)
        for _ in range(2):
            scene.report(
                worker, item, result={"rows": 1}, finished_at=second(0.5), exit_code=0
            )
        assert lines(scene, run.id) == [
            ("pending", 0.25),
            ("leased", 1.25),
            ("running", 2.25),
            ("succeeded", 3.25),
        ]
        told = [event for event in scene.events() if event.subject == run.id]
        states = [event.run.state.value for event in told if event.run]
        assert states == ["pending", "leased", "running", "succeeded"]
        assert {(event.tenant, event.schedule) for event in told} == {
            (TENANT, schedule.id)
        }
        # As a summary: neither attempts nor result.
        ended = replace(scene.run(run), attempts=(), result=None)
        assert told[-1].run == ended
        assert ended.exit_code == 0

    @pytest.mark.parametrize("state", [RunState.MISSED, RunState.SKIPPED])
    def test_a_run_that_is_stored_in_a_state_leaves_the_event_of_it(
        self, store: Store, state: RunState
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(
            scene.schedule(), 1, state=state, range_until=second(9), range_count=3
        )
        assert scene.told(run.id) == [f"run.{state}"]
        (event,) = (e for e in scene.events() if e.subject == run.id)
        assert event.run == scene.run(run)

    def test_a_withdrawn_run_that_is_taken_back_is_pending_again(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (run,) = scene.due(schedule, 3)
        scene.after(1)
        scene.edit(schedule)
        scene.after(1)
        scene.due(schedule, 3)
        assert lines(scene, run.id) == [
            ("pending", 0),
            ("withdrawn", 1),
            ("pending", 2),
        ]

    def test_an_insert_that_was_made_before_leaves_nothing(self, store: Store) -> None:
        scene = Scene(store)
        run = scene.manual(scene.schedule())
        assert not store.runs.insert(run, quota=None)[0]
        assert scene.told(run.id) == ["run.pending"]

    @pytest.mark.parametrize(("max_lost", "end"), [(2, "pending"), (1, "failed")])
    @pytest.mark.parametrize("by", ["expiry", "reclaim"])
    def test_a_lost_attempt_is_told_before_what_becomes_of_the_run(
        self, store: Store, max_lost: int, end: str, by: str
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0, max_lost=max_lost)
        worker = scene.worker()
        scene.start(worker)
        scene.after(60)
        if by == "expiry":
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
        assert lines(scene, run.id)[-2:] == [("lost", 60), (end, 60)]
        lost = [event for event in scene.events() if event.type == "run.lost"]
        assert [event.run and event.run.id for event in lost] == [run.id]

    def test_a_preempted_attempt_is_told_before_the_run_is_pending_again(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        case = preempted(scene)
        scene.after(1)
        scene.report(case.worker, case.item, AttemptState.CANCELLED)
        assert lines(scene, case.run.id)[-3:] == [
            ("stopping", 0.5),
            ("preempted", 1.5),
            ("pending", 1.5),
        ]

    def test_an_offer_that_lapsed_is_pending_again_and_nothing_is_lost(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        scene.lease(scene.worker())
        scene.after(5)
        scene.expire()
        assert lines(scene, run.id) == [("pending", 0), ("leased", 0), ("pending", 5)]

    def test_an_offer_that_gives_way_is_pending_again(self, store: Store) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (ahead,) = scene.due(schedule, 4)
        scene.lease(scene.worker())
        scene.after(1)
        run = factories.make_run(
            schedule,
            origin=Origin.MANUAL,
            scheduled_for=scene.now,
            created_at=scene.now,
        )
        store.runs.insert(run, quota=None)
        assert lines(scene, ahead.id) == [("pending", 0), ("leased", 0), ("pending", 1)]
        assert lines(scene, run.id) == [("pending", 1)]

    def test_a_retry_and_a_stop_are_told(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.after(1)
        scene.report(worker, item, AttemptState.FAILED, retry_at=second(2))
        scene.after(1)
        (item,) = scene.start(worker)
        scene.after(1)
        for _ in range(2):
            store.runs.cancel(TENANT, run.id, now=scene.now)
        scene.after(1)
        scene.report(worker, item, AttemptState.CANCELLED)
        assert lines(scene, run.id)[3:] == [
            ("pending", 1),
            ("leased", 2),
            ("running", 2),
            ("stopping", 3),
            ("cancelled", 4),
        ]

    @pytest.mark.parametrize("held", [False, True])
    def test_what_is_cancelled_before_its_start_is_told(
        self, store: Store, *, held: bool
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        if held:
            scene.lease(scene.worker())
        scene.after(1)
        store.runs.cancel(TENANT, run.id, now=scene.now)
        assert lines(scene, run.id)[-1] == ("cancelled", 1)

    @pytest.mark.parametrize(
        ("overlap", "first", "run"),
        [(SKIP, "running", "skipped"), (REPLACE, "stopping", "pending")],
    )
    def test_what_overlaps_is_told(
        self, store: Store, overlap: str, first: str, run: str
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        (before,) = scene.due(schedule, 0)
        scene.start(scene.worker())
        (after,) = scene.due(schedule, 1, overlap=overlap)
        scene.after(1)
        scene.overlap()
        assert lines(scene, before.id)[-1] == (first, 0 if first == "running" else 1)
        assert lines(scene, after.id)[-1] == (run, 0 if run == "pending" else 1)

    @pytest.mark.parametrize("held", [False, True])
    def test_what_expires_is_told(self, store: Store, *, held: bool) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0, deadline_at=second(2))
        if held:
            scene.lease(scene.worker())
        scene.after(2)
        scene.lapse()
        assert lines(scene, run.id)[-1] == ("expired", 2)

    @pytest.mark.parametrize("cancel_running", [False, True])
    def test_what_a_deletion_does_to_runs_is_told(
        self, store: Store, *, cancel_running: bool
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule()
        running, waiting = scene.due(schedule, 0, 3)
        scene.start(scene.worker(), slots=1)
        scene.after(1)
        scene.delete(schedule, cancel_running=cancel_running)
        assert lines(scene, waiting.id)[-1] == ("cancelled", 1)
        expected = ("stopping", 1) if cancel_running else ("running", 0)
        assert lines(scene, running.id)[-1] == expected

    def test_an_accepted_progress_is_told_with_the_run(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.after(2)
        entry = factories.make_progress(run.id, at=scene.now)
        stale = store.leases.progress(worker.tenant, worker.id, item.token + 1, entry)
        assert stale is not Standing.ACCEPTED
        store.leases.progress(worker.tenant, worker.id, item.token, entry)
        (told,) = (e for e in scene.events() if e.type == "run.progress")
        assert (told.subject, told.schedule, told.at) == (
            run.id,
            run.schedule,
            second(2),
        )
        assert told.run is not None
        assert told.run.progress == entry

    def test_a_report_that_did_not_count_leaves_nothing(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        worker, other = scene.worker(), scene.worker()
        (item,) = scene.start(worker)
        before = scene.events()
        scene.report(other, item)
        scene.report(worker, Holding(run.id, item.token + 1))
        scene.confirm(worker, item)
        scene.expire()
        assert scene.events() == before

    def test_a_run_keeps_in_its_event_what_it_was(self, store: Store) -> None:
        scene = Scene(store)
        kept = {
            "hooks": frozenset({HookKind.ERROR}),
            "deadline_at": second(90),
            "reason": None,
            "overlap": REPLACE,
            "catch_up": True,
            "due_at": second(0.5),
        }
        (run,) = scene.due(scene.schedule(), 0, **kept)
        (event,) = (e for e in scene.events() if e.subject == run.id)
        assert event.run == run
