"""Offers are confirmed, renewed, and taken away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony import errors
from crony.model.lease import Holding, Renewed, Revoked, Standing
from crony.model.state import AttemptState, Reason, RunState
from crony.storage.contract import Store
from crony.testing.storage.scene import LEASE_TTL, TENANT, Scene, second


class TestConfirm:
    def test_a_confirmed_offer_is_running(self, store: Store) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 3)
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        item = Holding(run.id, offer.token)
        (answer,) = scene.confirm(worker, item)
        assert (answer.standing, answer.state) == (Standing.ACCEPTED, RunState.RUNNING)
        assert (answer.start_at, answer.expires_at) == (second(3), second(63))
        running = scene.run(run)
        assert (running.state, running.started_at) == (RunState.RUNNING, second(3))
        assert running.attempts[-1].state is AttemptState.RUNNING

    def test_a_late_confirm_prolongs_the_lease_from_now(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        scene.after(4)
        (answer,) = scene.confirm(worker, Holding(offer.run.id, offer.token))
        assert answer.expires_at == scene.now + LEASE_TTL
        assert scene.run(offer.run).started_at == scene.now

    def test_the_same_confirm_again_is_repeated(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        (answer,) = scene.confirm(worker, item)
        assert answer.standing is Standing.REPEATED
        assert answer.expires_at == second(60)

    def test_a_run_withdrawn_or_taken_back_meanwhile_is_stale(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=9)
        now, ahead = scene.due(schedule, 0, 3)
        worker = scene.worker()
        items = [Holding(offer.run.id, offer.token) for offer in scene.lease(worker)]
        scene.edit(schedule)
        scene.after(5)
        store.leases.expire(now=scene.now, limit=9, include_leases=False)
        answers = scene.confirm(worker, *items)
        assert [answer.standing for answer in answers] == [Standing.STALE] * 2
        assert scene.run(now).state is RunState.PENDING
        assert scene.run(ahead).state is RunState.WITHDRAWN

    def test_an_old_token_is_stale_also_when_the_run_is_leased_again(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (old,) = scene.lease(worker)
        scene.after(5)
        store.leases.expire(now=scene.now, limit=9, include_leases=False)
        (new,) = scene.lease(worker)
        assert (new.token, new.attempt) == (2, 1)
        (answer,) = scene.confirm(worker, Holding(old.run.id, old.token))
        assert answer.standing is Standing.STALE
        assert scene.run(old.run).state is RunState.LEASED

    def test_a_cancelled_or_stopping_run_is_over(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(limit=2), 0, 1)
        worker = scene.worker()
        offers = scene.lease(worker)
        items = [Holding(offer.run.id, offer.token) for offer in offers]
        scene.confirm(worker, items[1])
        for item in items:
            store.runs.cancel(TENANT, item.run, now=scene.now)
        answers = scene.confirm(worker, *items)
        assert [a.standing for a in answers] == [Standing.OVER] * 2
        states = [RunState.CANCELLED, RunState.STOPPING]
        assert [a.state for a in answers] == states

    def test_what_the_worker_never_had_is_unknown(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker, other = scene.worker(), scene.worker()
        foreign = scene.worker(tenant="other")
        (offer,) = scene.lease(worker)
        item = Holding(offer.run.id, offer.token)
        for asking, asked in (
            (other, item),
            (foreign, item),
            (worker, Holding(offer.run.id, 2)),
            (worker, Holding("run_unknown", 1)),
        ):
            (answer,) = scene.confirm(asking, asked)
            assert (answer.standing, answer.state) == (Standing.UNKNOWN, None)

    def test_answers_come_in_the_order_of_the_questions(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(limit=9), 0, 1, 2)
        worker = scene.worker()
        items = [Holding(offer.run.id, offer.token) for offer in scene.lease(worker)]
        items.reverse()
        answers = scene.confirm(worker, *items)
        assert [Holding(a.run, a.token) for a in answers] == items


def renew(
    scene: Scene, worker: str, *items: Holding, session: str = "session"
) -> tuple[list[Renewed], list[Revoked]]:
    """Renew, and return both lists."""
    renewed, revoked = scene.store.leases.renew(
        TENANT,
        worker,
        session=session,
        holding=items,
        now=scene.now,
        lease_ttl=LEASE_TTL,
    )
    return list(renewed), list(revoked)


class TestRenew:
    def test_a_lease_goes_on_from_now_and_the_worker_was_seen(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        scene.after(15)
        renewed, revoked = renew(scene, worker.id, item)
        assert renewed == [Renewed(item.run, item.token, second(75))]
        assert not revoked
        found = store.workers.find(TENANT, worker.id)
        assert found is not None
        assert found.seen_at == second(15)

    def test_an_offer_ahead_is_not_shortened(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 4)
        worker = scene.worker()
        (offer,) = scene.lease(worker)
        renewed, _ = renew(scene, worker.id, Holding(offer.run.id, offer.token))
        assert renewed[0].expires_at == second(64)

    def test_an_end_never_moves_back(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        (item,) = scene.start(worker)
        renewed, _ = store.leases.renew(
            worker.tenant,
            worker.id,
            session="session",
            holding=[item],
            now=scene.now,
            lease_ttl=timedelta(seconds=1),
        )
        assert renewed[0].expires_at == second(60)

    def test_a_stopping_run_is_renewed_and_revoked_with_its_cause(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        schedule = scene.schedule(limit=2)
        scene.due(schedule, 0, 1)
        worker = scene.worker()
        one, two = scene.start(worker)
        store.runs.cancel(TENANT, one.run, now=scene.now)
        store.schedules.delete(
            scene.stored(schedule), settled=(), cancel_running=True, now=scene.now
        )
        renewed, revoked = renew(scene, worker.id, one, two)
        assert [item.run for item in renewed] == [one.run, two.run]
        assert revoked == [
            Revoked(one.run, one.token, "cancelled"),
            Revoked(two.run, two.token, "deleted"),
        ]

    def test_everything_else_is_revoked_and_the_cause_told(self, store: Store) -> None:
        scene = Scene(store)
        gone = scene.schedule()
        (by_delete,) = scene.due(gone, 0)
        (by_user,) = scene.due(scene.schedule(), 0)
        (taken,) = scene.due(scene.schedule(), 0)
        worker = scene.worker()
        items = {o.run.id: Holding(o.run.id, o.token) for o in scene.lease(worker)}
        store.schedules.delete(
            scene.stored(gone), settled=(), cancel_running=False, now=scene.now
        )
        store.runs.cancel(TENANT, by_user.id, now=scene.now)
        scene.after(5)
        store.leases.expire(now=scene.now, limit=9, include_leases=True)
        asked = [items[run.id] for run in (by_delete, by_user, taken)]
        renewed, revoked = renew(scene, worker.id, *asked, Holding("run_unknown", 1))
        assert not renewed
        reasons = [item.reason for item in revoked]
        assert reasons == ["deleted", "cancelled", "lost", "lost"]

    def test_the_lease_of_another_worker_is_lost(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        (item,) = scene.start(scene.worker())
        renewed, revoked = renew(scene, scene.worker().id, item)
        assert (renewed, revoked) == ([], [Revoked(item.run, item.token, "lost")])

    def test_a_session_that_is_not_the_stored_one_is_stale(self, store: Store) -> None:
        scene = Scene(store)
        with pytest.raises(errors.StaleToken):
            renew(scene, scene.worker().id, session="other")
        with pytest.raises(errors.NotFound):
            renew(scene, "wrk_unknown")


class TestReclaim:
    def test_what_the_worker_does_not_hold_is_taken_back(self, store: Store) -> None:
        scene = Scene(store)
        kept, lost, offered = scene.due(scene.schedule(limit=3), 0, 1, 2)
        worker = scene.worker()
        held = scene.start(worker, slots=2)
        scene.lease(worker)
        losses, ready = store.leases.reclaim(
            worker.tenant,
            worker.id,
            session="session",
            sequence=1,
            holding=held[:1],
            now=scene.after(1),
        )
        # An offer is no attempt, so that it is no loss either.
        assert [(loss.run, loss.worker) for loss in losses] == [(lost.id, worker.id)]
        assert losses[0].state is RunState.PENDING
        assert ready == {(TENANT, "default")}
        assert scene.run(kept).state is RunState.RUNNING
        assert scene.run(offered).state is RunState.PENDING
        assert scene.run(offered).attempts == ()
        again = scene.run(lost)
        assert (again.state, again.reason, again.lost) == (
            RunState.PENDING,
            Reason.LOST,
            1,
        )
        (attempt,) = again.attempts
        assert (attempt.state, attempt.finished_at) == (AttemptState.LOST, scene.now)

    def test_an_old_poll_takes_nothing_back(self, store: Store) -> None:
        scene = Scene(store)
        scene.due(scene.schedule(), 0)
        worker = scene.worker()
        scene.start(worker)
        scene.poll(worker)
        with pytest.raises(errors.StaleToken):
            store.leases.reclaim(
                worker.tenant,
                worker.id,
                session="session",
                sequence=1,
                holding=(),
                now=scene.now,
            )
        assert scene.runs(states={RunState.RUNNING})
