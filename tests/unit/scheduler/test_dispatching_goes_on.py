"""Webhooks hold up no other, and whoever dispatches may die."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from crony.model.webhook import Webhook
from crony.scheduler.delivery import DELAYS
from crony.scheduler.events import event_id
from crony.scheduler.fanning import Fan
from tests.receiver import receiving
from tests.unit.scheduler.post import Post, posting, refusing, silent
from tests.unit.scheduler.stage import SECOND, Stage


@pytest.fixture
def post(stage: Stage) -> Iterator[Post]:
    with posting(stage) as post:
        yield post


def test_an_endpoint_that_never_answers_delays_no_other(post: Post) -> None:
    dispatcher = post.dispatcher()
    with silent() as dead, receiving() as receiver:
        for number in range(3):
            post.put(f"dead-{number}", dead)
        post.put("w", receiver.url)
        dispatcher.start()
        post.happen(20)
        got = [receiver.next().headers["webhook-id"] for _ in range(20)]
        assert got == [event_id(event) for event in post.events()]
        assert not any(delivery.tries for delivery in post.deliveries("dead-0"))


def test_endpoints_that_fail_leave_places_to_the_others(post: Post) -> None:
    dispatcher = post.dispatcher()
    with silent() as dead, receiving() as receiver:
        for number in range(12):
            post.put(f"dead-{number}", refusing())
        post.happen()
        # Each of them was tried, and is under suspicion from here on.
        post.carry(dispatcher, rounds=2)
        for number in range(12):
            post.put(f"dead-{number}", dead)
        post.put("w", receiver.url)
        post.stage.advance(DELAYS[0] * 2)
        post.happen()
        dispatcher.step(post.stage.clock.now())
        assert receiver.next().event["type"] == "worker.registered"
        dead_ones = {key for key in dispatcher.under_way() if key[1] != "w"}
        assert len(dead_ones) == 4


def test_an_endpoint_that_does_not_answer_is_left_alone_for_a_while(
    post: Post,
) -> None:
    dispatcher = post.dispatcher()
    post.put("w", refusing())
    post.happen(4)
    post.carry(dispatcher, rounds=4)
    assert sum(delivery.tries for delivery in post.deliveries("w")) == 1
    post.stage.advance(5 * SECOND)
    post.carry(dispatcher, rounds=4)
    assert sum(delivery.tries for delivery in post.deliveries("w")) == 2
    post.stage.advance(5 * SECOND)
    post.carry(dispatcher, rounds=4)
    assert sum(delivery.tries for delivery in post.deliveries("w")) == 2


def test_what_a_process_had_not_sent_when_it_died_another_sends(post: Post) -> None:
    with receiving() as receiver:
        post.put("w", receiver.url)
        post.happen(3)
        # It stored them, and died.
        Fan(post.stage.store, post.stage.clock).out(post.stage.clock.now())
        post.carry(post.dispatcher("b"), rounds=3)
        got = [receiver.next().headers["webhook-id"] for _ in range(3)]
    assert got == [event_id(event) for event in post.events()]


def test_one_process_at_a_time_dispatches(post: Post) -> None:
    first, second = post.dispatcher("a"), post.dispatcher("b")
    with receiving() as receiver:
        post.put("w", receiver.url)
        post.carry(first)
        post.happen()
        post.carry(second)
        assert receiver.empty
        # The first is gone, and its duty runs out.
        post.stage.advance(3 * SECOND)
        post.carry(second)
        receiver.next()


def test_a_process_that_ends_hands_the_duty_over_at_once(post: Post) -> None:
    first, second = post.dispatcher("a"), post.dispatcher("b")
    with silent() as dead, receiving() as receiver:
        post.put("v", dead)
        post.put("w", receiver.url, "schedule.*")
        post.happen()
        first.step(post.stage.clock.now())
        first.stop()
        post.stage.add()
        second.step(post.stage.clock.now())
        receiver.next()
        # While the second one's own try goes on: at the end of this it fails.
        (unfinished,) = post.deliveries("v")[-1:]
        assert unfinished.tries == 0


def test_who_lost_the_duty_waits_until_it_is_free_and_no_shorter(post: Post) -> None:
    with receiving() as receiver:
        post.put("a", receiver.url)
        a = post.dispatcher("a")
        # A try comes due in the hands of another.
        post.put("b", refusing())
        post.happen()
        assert a._do() > timedelta(0)
        assert a.settle(within=30)
        a._looked_at = float("-inf")
        a._do()
        assert a._due_at < float("inf")
        post.stage.advance(10 * SECOND)
        assert post.dispatcher("b").step(post.stage.clock.now())
        post.stage.advance(2 * SECOND)
        a._looked_at = float("-inf")
        waits = [a._do() for _ in range(3)]
        # For what is left of the 2.5 s for which the other has it.
        assert timedelta(seconds=0.3) < min(waits) <= max(waits) <= 0.5 * SECOND


def test_a_webhook_that_can_not_be_told_holds_up_no_other(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = post.stage.store.webhooks.advance

    def fail(webhook: Webhook, **rest: object) -> bool:
        if webhook.name == "bad":
            raise ValueError("no event can be read from this row")
        return advance(webhook, **rest)  # type: ignore[arg-type]  # the test's

    monkeypatch.setattr(post.stage.store.webhooks, "advance", fail)
    dispatcher = post.dispatcher()
    with receiving() as receiver:
        for name in ("bad", "good"):
            post.put(name, receiver.url)
        post.happen()
        post.carry(dispatcher)
        receiver.next()
        assert receiver.empty
    assert not post.deliveries("bad")
    assert len(post.deliveries("good")) == 1
