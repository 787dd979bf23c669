"""One try to hand an event over: signed, bounded, and what follows from it."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from crony.model.event import Event
from crony.model.webhook import Delivery, DeliveryState, Webhook
from crony.scheduler.delivery import (
    DELAYS,
    GIVE_UP,
    Answer,
    Line,
    decided,
    key_of,
    new_secret,
    send,
    signature,
)
from crony.scheduler.rendering import Object
from crony.scheduler.service import webhook_rules
from crony.testing.clock import START
from tests.receiver import Answer as Said
from tests.receiver import receiving

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
EVENT: Object = {"id": "evt_0", "type": "run.failed", "data": {"name": "grün"}}
SECOND = timedelta(seconds=1)


def sent(
    url: str, *, seconds: float = 15, allowed: Sequence[str] = ("127.0.0.1/32",)
) -> Answer:
    webhook = Webhook(
        name="w",
        tenant="default",
        revision=1,
        url=url,
        secret=SECRET,
        created_at=START,
        updated_at=START,
    )
    rules = webhook_rules(allowed)
    return send(webhook, EVENT, at=START, rules=rules, line=Line(), seconds=seconds)


def delivery(**changes: object) -> Delivery:
    event = Event(
        sequence=1,
        tenant="default",
        type="run.failed",
        subject="run_1",
        schedule=None,
        at=START,
    )
    made = Delivery(
        webhook="w", tenant="default", event=event, next_at=START, created_at=START
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the test's


def after(
    given: Delivery, answer: Answer, *, now: datetime = START, fraction: float = 0
) -> Delivery:
    return decided(given, answer, now=now, fraction=fraction)


def test_a_signature_is_that_of_the_specification() -> None:
    said = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        payload=b'{"test": 2432232314}',
    )
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_can_verify_what_it_gets() -> None:
    with receiving() as receiver:
        answer = sent(receiver.url + "/hook?a=1")
        got = receiver.next()
    assert (answer.status, answer.accepted, answer.error) == (200, True, None)
    assert got.path == "/hook?a=1"
    assert got.event == EVENT
    assert got.headers["webhook-id"] == "evt_0"
    assert int(got.headers["webhook-timestamp"]) == START.timestamp()
    assert got.headers["content-type"].startswith("application/cloudevents+json")
    assert got.is_signed_with(SECRET)
    assert not got.is_signed_with(new_secret(bytes))


def test_a_redirect_is_a_failure_and_not_followed() -> None:
    with receiving() as elsewhere:
        moved = Said(307, headers={"Location": elsewhere.url})
        with receiving(lambda _: moved) as receiver:
            answer = sent(receiver.url)
        assert elsewhere.empty
    assert (answer.status, answer.accepted) == (307, False)


def test_of_a_refusal_a_short_plain_excerpt_is_kept() -> None:
    body = b"\x1b[31mno\nroom " + b"x" * 100_000
    with receiving(lambda _: Said(500, body)) as receiver:
        error = sent(receiver.url).error
    assert error is not None
    assert error.startswith("status 500: [31mno room xxx")
    assert len(error) < 250


def test_loopback_is_refused_unless_allowed() -> None:
    with receiving() as receiver:
        answer = sent(receiver.url.replace("127.0.0.1", "localhost"), allowed=())
        assert receiver.empty
    assert answer.status is None
    assert "webhook_allow" in str(answer.error)


def test_nobody_listening_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert str(port) in str(sent(f"http://127.0.0.1:{port}").error)


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP"])
def test_an_endpoint_that_answers_drop_by_drop_is_cut_off(begin: bytes) -> None:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                try:
                    connection.sendall(begin)
                    while not ended.wait(0.02):
                        connection.sendall(b"x")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        answer = sent(f"http://127.0.0.1:{listener.getsockname()[1]}", seconds=0.3)
        took = time.monotonic() - began
        ended.set()
        thread.join()
    assert answer == Answer(error="no answer within 0.3 s")
    assert 0.2 < took < 5


def test_an_accepted_delivery_is_over() -> None:
    done = after(delivery(tries=2), Answer(status=204), now=START + SECOND)
    assert (done.state, done.tries, done.status) == (DeliveryState.DELIVERED, 3, 204)
    assert (done.next_at, done.finished_at) == (None, START + SECOND)


def test_failures_are_retried_at_growing_intervals_and_given_up() -> None:
    current, now = delivery(), START
    for delay in DELAYS:
        current = after(current, Answer(status=500, error="status 500"), now=now)
        assert current.state is DeliveryState.PENDING
        assert current.next_at == now + delay
        now = current.next_at
    current = after(current, Answer(status=500), now=now)
    assert current.state is DeliveryState.FAILED
    assert (current.tries, current.next_at, current.finished_at) == (10, None, now)
    assert now - START > timedelta(days=3)


def test_retries_of_many_spread_a_little() -> None:
    failed = after(delivery(), Answer(error="no answer"), fraction=1)
    assert failed.next_at == START + DELAYS[0] * 1.2


def test_an_endpoint_may_ask_for_more_time_but_not_for_less() -> None:
    busy = Answer(status=503, retry_after=timedelta(minutes=1))
    assert after(delivery(), busy).next_at == START + timedelta(minutes=1)
    assert after(delivery(tries=1), busy).next_at == START + timedelta(minutes=5)


def test_retry_after_is_read_and_bounded() -> None:
    for text, wanted in [("7", 7), ("999999999", 86400), ("-1", None), ("x", None)]:
        said = Said(503, headers={"Retry-After": text})
        with receiving(lambda _, said=said: said) as receiver:  # type: ignore[misc]
            found = sent(receiver.url).retry_after
        assert found == (None if wanted is None else timedelta(seconds=wanted))


def test_an_endpoint_that_is_gone_is_not_tried_again() -> None:
    assert after(delivery(), Answer(status=410)).state is DeliveryState.FAILED


def test_a_delivery_that_waited_too_long_is_given_up_after_a_failure() -> None:
    old = delivery(created_at=START - GIVE_UP)
    assert after(old, Answer(status=500)).state is DeliveryState.FAILED
    assert after(old, Answer(status=200)).state is DeliveryState.DELIVERED


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "secret",
        base64.b64encode(bytes(32)).decode(),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + "!" * 40,
        "whsec_" + "A" * 33,
    ],
)
def test_what_is_no_secret_is_refused_and_not_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match=r"whsec_|bytes") as caught:
        key_of(secret)
    if secret not in ("", "whsec_"):
        assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


def test_made_secrets_can_be_used() -> None:
    assert key_of(new_secret(lambda count: b"k" * count)) == b"k" * 32
