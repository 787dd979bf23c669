"""Webhooks get what they want, in order and once at least."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from crony import errors
from crony.model.webhook import DeliveryState
from crony.scheduler.delivery import DELAYS
from crony.scheduler.dispatching import DUTY
from crony.scheduler.events import event_id, told
from crony.scheduler.fanning import Fan
from tests.receiver import Answer, Got, receiving
from tests.unit.scheduler.post import Post, posting, refusing
from tests.unit.scheduler.stage import DAY, SECOND, TENANT, Stage


@pytest.fixture
def post(stage: Stage) -> Iterator[Post]:
    with posting(stage) as post:
        yield post


def test_what_happens_from_now_on_is_sent_signed_and_whole(post: Post) -> None:
    post.happen()
    dispatcher = post.dispatcher()
    with receiving() as receiver:
        webhook = post.put("w", receiver.url)
        post.happen()
        post.carry(dispatcher)
        got = receiver.next()
        assert receiver.empty
    event = post.events()[-1]
    assert got.event == told(event)
    assert got.headers["webhook-id"] == event_id(event)
    assert got.is_signed_with(webhook.secret)
    (delivery,) = post.deliveries("w")
    assert (delivery.state, delivery.tries) == (DeliveryState.DELIVERED, 1)


def test_events_come_in_their_order(post: Post) -> None:
    dispatcher = post.dispatcher()
    with receiving() as receiver:
        post.put("w", receiver.url)
        post.happen(8)
        post.carry(dispatcher, rounds=8)
        got = [receiver.next().headers["webhook-id"] for _ in range(8)]
    assert got == [event_id(event) for event in post.events()]


def test_a_webhook_gets_the_types_it_asked_for(post: Post) -> None:
    dispatcher = post.dispatcher()
    with receiving() as receiver:
        post.put("w", receiver.url, "schedule.*", "run.failed")
        post.happen()
        schedule = post.stage.add()
        post.stage.delete(schedule)
        post.carry(dispatcher, rounds=3)
        got = [receiver.next().event["type"] for _ in range(2)]
        assert receiver.empty
    assert got == ["schedule.created", "schedule.deleted"]


def test_what_failed_is_sent_again_later_and_the_rest_meanwhile(post: Post) -> None:
    answers = iter([Answer(500), Answer(), Answer()])
    dispatcher = post.dispatcher()
    with receiving(lambda _: next(answers)) as receiver:
        post.put("w", receiver.url)
        post.happen(2)
        post.carry(dispatcher, rounds=3)
        first, second = receiver.next(), receiver.next()
        assert receiver.empty
        post.stage.advance(DELAYS[0] - timedelta(milliseconds=1))
        post.carry(dispatcher)
        assert receiver.empty
        post.stage.advance(timedelta(milliseconds=1))
        post.carry(dispatcher)
        again = receiver.next()
    assert again.body == first.body != second.body
    assert again.headers["webhook-id"] == first.headers["webhook-id"]
    assert [(d.state, d.tries) for d in post.deliveries("w")] == [
        (DeliveryState.DELIVERED, 1),
        (DeliveryState.DELIVERED, 2),
    ]


def test_an_event_that_is_never_taken_is_given_up_and_can_be_sent_again(
    post: Post,
) -> None:
    taken = threading.Event()
    dispatcher = post.dispatcher()

    def answer(_: Got) -> Answer:
        return Answer(200 if taken.is_set() else 500)

    with receiving(answer) as receiver:
        post.put("w", receiver.url)
        post.happen()
        for _ in range(len(DELAYS) + 3):
            post.carry(dispatcher)
            post.stage.advance(DAY)
        (delivery,) = post.deliveries("w")
        assert (delivery.state, delivery.tries) == (DeliveryState.FAILED, 6)
        taken.set()
        again = post.webhooks.retry(TENANT, "w", event_id(delivery.event))
        assert again.state is DeliveryState.PENDING
        post.carry(dispatcher)
        (delivery,) = post.deliveries("w")
    assert (delivery.state, delivery.tries) == (DeliveryState.DELIVERED, 7)


def test_an_endpoint_that_is_gone_pauses_its_webhook(post: Post) -> None:
    dispatcher = post.dispatcher()
    with receiving(lambda _: Answer(410)) as receiver:
        post.put("w", receiver.url)
        post.happen(3)
        post.carry(dispatcher, rounds=3)
        receiver.next()
        assert receiver.empty
    found = post.webhooks.find(TENANT, "w")
    assert (found.paused, found.revision) == (True, 2)


def test_what_happens_during_a_pause_is_sent_after_it(post: Post) -> None:
    dispatcher = post.dispatcher()
    with receiving() as receiver:
        post.put("w", receiver.url, paused=True)
        post.happen(2)
        post.carry(dispatcher, rounds=3)
        assert receiver.empty
        post.put("w", receiver.url)
        post.carry(dispatcher, rounds=3)
        got = [receiver.next().headers["webhook-id"] for _ in range(2)]
    assert got == [event_id(event) for event in post.events()]


def test_without_webhooks_nothing_is_written(post: Post) -> None:
    now = post.stage.clock.now()
    post.carry(post.dispatcher())
    held, last = post.stage.store.duties.hold(DUTY, "x", now=now, ttl=SECOND)
    assert (held, last) == (True, None)


def test_events_wait_as_events_while_too_many_deliveries_do(post: Post) -> None:
    store, clock = post.stage.store, post.stage.clock
    post.put("w", refusing())
    fan = Fan(store, clock, most=3)
    post.happen(3)
    fan.out(clock.now())
    post.happen(3)
    fan.out(clock.now())
    assert len(post.deliveries("w")) == 3
    with receiving() as receiver:
        post.put("w", receiver.url)
        dispatcher = post.dispatcher()
        post.carry(dispatcher, rounds=6)
        assert len(post.deliveries("w")) == 6
        got = [receiver.next().headers["webhook-id"] for _ in range(6)]
    assert got == [event_id(event) for event in post.events()]


def test_a_webhook_goes_on_with_what_is_kept_where_events_were_pruned(
    post: Post,
) -> None:
    with receiving() as receiver:
        post.put("w", receiver.url)
        post.happen(2)
        pruned = post.stage.advance(SECOND)
        post.happen()
        post.stage.store.events.prune(before=pruned, limit=10)
        post.carry(post.dispatcher(), rounds=3)
        receiver.next()
        assert receiver.empty


def test_types_that_are_asked_for_later_count_from_the_stored_position(
    post: Post,
) -> None:
    dispatcher = post.dispatcher()
    with receiving() as receiver:
        post.put("w", receiver.url, "run.*")
        post.happen()
        post.carry(dispatcher)
        post.put("w", receiver.url, "worker.*")
        post.carry(dispatcher)
        assert receiver.next().event["type"] == "worker.registered"


def test_a_ping_tells_how_it_went(post: Post) -> None:
    answers = iter([Answer(), Answer(500, b"broken")])
    with receiving(lambda _: next(answers)) as receiver:
        webhook = post.put("w", receiver.url, "run.*", paused=True)
        good, id = post.webhooks.ping(TENANT, "w")
        bad, other = post.webhooks.ping(TENANT, "w")
        got = receiver.next()
    assert (good.state, good.status, good.tries) == (DeliveryState.DELIVERED, 200, 1)
    assert (bad.state, bad.error) == (DeliveryState.FAILED, "status 500: broken")
    assert bad.next_at is None
    assert got.event["type"] == "webhook.ping"
    assert got.event["data"] == {"name": "w", "revision": 1}
    assert got.headers["webhook-id"] == id != other
    assert got.is_signed_with(webhook.secret)
    assert post.deliveries("w") == []


def test_only_what_was_sent_can_be_sent_again(post: Post) -> None:
    post.put("w", refusing())
    for event in ("evt_" + 26 * "0", "nonsense"):
        with pytest.raises(errors.NotFound):
            post.webhooks.retry(TENANT, "w", event)
    with pytest.raises(errors.NotFound):
        post.webhooks.retry(TENANT, "other", "evt_" + 26 * "0")


def test_a_secret_is_not_printed(post: Post) -> None:
    webhook = post.put("w", refusing())
    assert webhook.secret not in repr(webhook)


def test_the_thread_sends_without_being_asked(post: Post) -> None:
    dispatcher = post.dispatcher()
    with receiving() as receiver:
        post.put("w", receiver.url)
        dispatcher.start()
        post.happen(5)
        got = [receiver.next().headers["webhook-id"] for _ in range(5)]
    assert got == [event_id(event) for event in post.events()]
