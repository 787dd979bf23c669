"""Webhooks get what they want, once at least, and none holds up another."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from crony import errors
from crony.model.event import Event
from crony.model.webhook import Delivery, DeliveryState, Webhook
from crony.scheduler.delivery import DELAYS
from crony.scheduler.dispatching import DUTY, Dispatcher
from crony.scheduler.events import event_id, told
from crony.scheduler.fanning import Fan
from crony.scheduler.service import webhook_rules
from crony.scheduler.webhooks import Webhooks
from crony.storage.contract import Page
from tests.receiver import Answer, Got, receiving
from tests.unit.scheduler.stage import DAY, SECOND, TENANT, Stage

LOOPBACK = webhook_rules(["127.0.0.1/32"])


@dataclass
class Post:
    """The webhooks of a stage, and somebody who dispatches by hand."""

    stage: Stage
    webhooks: Webhooks
    made: list[Dispatcher] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    def dispatcher(self, holder: str = "a") -> Dispatcher:
        """Return somebody new who dispatches."""
        made = Dispatcher(
            self.stage.store,
            self.stage.clock,
            wakes=self.stage.wakes,
            rules=LOOPBACK,
            holder=holder,
            fraction=lambda: 0.0,
        )
        self.made.append(made)
        return made

    def put(self, name: str, url: str, *types: str, paused: bool = False) -> Webhook:
        """Make or change a webhook."""
        webhook, _ = self.webhooks.put(
            TENANT,
            name,
            url=url,
            types=types,
            description="",
            paused=paused,
            secret=None,
        )
        return webhook

    def happen(self, times: int = 1) -> None:
        """Lead to events of the type worker.registered."""
        for _ in range(times):
            self.stage.worker(name=f"host-{next(self.names)}")

    def carry(self, dispatcher: Dispatcher, *, rounds: int = 1) -> None:
        """Do rounds, each to the end of what it started."""
        for _ in range(rounds):
            dispatcher.step(self.stage.clock.now())
            assert dispatcher.settle(within=30)

    def deliveries(self, name: str) -> list[Delivery]:
        """Return deliveries, the newest event first."""
        page: Page[Delivery] = self.webhooks.deliveries(
            TENANT, name, limit=1000, after=None
        )
        return list(page.items)

    def events(self) -> list[Event]:
        """Return all events, in order."""
        return list(self.stage.store.events.page(TENANT, after=0, limit=1000))


@pytest.fixture
def post(stage: Stage) -> Iterator[Post]:
    post = Post(
        stage,
        Webhooks(stage.store, stage.clock, wakes=stage.wakes, rules=LOOPBACK),
    )
    yield post
    for dispatcher in post.made:
        dispatcher.stop()


@contextmanager
def silent() -> Iterator[str]:
    """Take connections, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def refusing() -> str:
    """Return an address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/"


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
