"""What is done at one node holds at the other: at once, or within a known time."""

from __future__ import annotations

import base64
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import requests

from crony.api.polls import LOOK
from crony.scheduler.keys import FRESH
from tests.integration.api.caller import Caller, Worker, kind, unique
from tests.integration.nodes.pair import Pair

#: How late news may be that no store carries: a look, and what it takes.
_LOOKED = LOOK + 1.0

#: How long something that holds within a time may take beyond it, on a busy machine.
_SLACK = 1.0


def told_within(both: Pair) -> float:
    """Return how long news may take from one node to the other."""
    return _SLACK if both.notifies else _LOOKED


def until(holds: Callable[[], bool], *, within: float = 20) -> float:
    """Ask until something holds; return how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within
        time.sleep(0.01)
    return time.monotonic() - began


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(10) as pool:
        yield pool


def waiting(both: Pair) -> int:
    """Return how many polls wait at the other node."""
    return int(both.metric(1, "crony_waiting_polls"))


Begun = Callable[..., Future[requests.Response]]


@pytest.fixture
def begun(both: Pair, threads: ThreadPoolExecutor) -> Begun:
    """What begins a long poll at the other node, and returns once it waits there."""

    def begin(worker: Worker, **members: object) -> Future[requests.Response]:
        before = waiting(both)
        poll = threads.submit(at_other(both, worker).poll, wait="30s", **members)
        until(lambda: waiting(both) == before + 1)
        return poll

    return begin


def at_other(both: Pair, worker: Worker) -> Worker:
    worker.call = Caller(both.nodes[1].url, worker.call.key)
    return worker


def test_nodes_that_start_at_once_on_an_empty_store_make_one_admin_key(
    both: Pair,
) -> None:
    keys = [node.admin_key for node in both.nodes]
    assert "" in keys
    assert len(set(keys)) == 2
    for number in range(2):
        stored = both.admin(number).got("/keys")["items"]
        assert len([key for key in stored if key["role"] == "admin"]) == 1


def test_a_run_now_reaches_a_worker_that_asks_the_other_node(
    both: Pair, begun: Begun
) -> None:
    here, _ = both.tenant()
    worker = here.worker()
    schedule = here.schedule(queue=worker.queue, max_concurrent=100)
    took = []
    for _ in range(9):
        poll = begun(worker)
        here.made(f"/schedules/{schedule['id']}/run")
        made = time.monotonic()
        (lease,) = poll.result(timeout=20).json()["leases"]
        took.append(time.monotonic() - made)
        for state in ("running", "succeeded"):
            assert worker.report(lease, state=state).ok
    if both.notifies:
        # Some milliseconds; a busy machine needs more, and a look would be a second.
        assert statistics.median(took) < 0.3, took
    assert max(took) < _LOOKED, took


def test_what_was_cancelled_is_told_to_a_worker_that_asks_the_other_node(
    both: Pair, begun: Begun
) -> None:
    here, _ = both.tenant()
    worker = here.worker()
    lease = worker.started(here)
    held = [{"run": lease["run"], "token": lease["token"]}]
    poll = begun(worker, holding=held, slots=0)
    asked = time.monotonic()
    here.made(f"/runs/{lease['run']}/cancel")
    revoked = poll.result(timeout=20).json()["revoked"]
    assert revoked == [{**held[0], "reason": "cancelled"}]
    assert time.monotonic() - asked < told_within(both)


def test_a_drain_reaches_a_worker_that_asks_the_other_node(
    both: Pair, begun: Begun
) -> None:
    here, _ = both.tenant()
    worker = here.worker()
    poll = begun(worker)
    asked = time.monotonic()
    here.made(f"/workers/{worker.id}/drain")
    assert poll.result(timeout=20).json()["draining"] is True
    assert time.monotonic() - asked < told_within(both)


def test_a_poll_that_moves_to_another_node_ends_the_one_that_waits(
    both: Pair, begun: Begun
) -> None:
    here, _ = both.tenant()
    worker = here.worker()
    poll = begun(worker)
    asked = time.monotonic()
    worker.call = Caller(here.url, worker.call.key)
    assert worker.poll(wait="0s").status_code == 200
    assert kind(poll.result(timeout=20)) == (409, "stale-token")
    assert time.monotonic() - asked < told_within(both)


def test_an_idempotency_key_holds_at_both(both: Pair) -> None:
    here, there = both.tenant()
    body = {"cron": "0 0 1 1 *", "task": {"command": "true"}}
    key = {"Idempotency-Key": unique("key")}
    one = here.made("/schedules", body, headers=key)
    assert there.made("/schedules", body, headers=key) == one
    other = there("POST", "/schedules", {**body, "name": "x"}, headers=key)
    assert other.status_code == 422
    assert len(there.got("/schedules")["items"]) == 1


def test_a_key_that_was_removed_stops_working_at_the_other_node(both: Pair) -> None:
    here, there = both.tenant()
    made = here.made("/keys", {"role": "viewer"})
    viewer = Caller(there.url, made["key"])
    assert viewer("GET", "/schedules").status_code == 200
    assert here("DELETE", f"/keys/{made['id']}").status_code == 204
    took = until(lambda: viewer("GET", "/schedules").status_code == 401)
    assert took < FRESH.total_seconds() + _SLACK


def test_a_quota_holds_at_the_other_node(both: Pair) -> None:
    here, there = both.tenant()
    tenant = here.headers["X-Crony-Tenant"]
    viewer = Caller(there.url, here.made("/keys", {"role": "viewer"})["key"])
    editor = Caller(there.url, here.made("/keys", {"role": "editor"})["key"])
    assert viewer("GET", "/schedules").status_code == 200
    quotas = {"schedules": 1}
    assert both.admin(0)("PUT", f"/tenants/{tenant}", {"quotas": quotas}).ok
    # What is counted in the store holds at once.
    editor.schedule()
    refused = editor(
        "POST", "/schedules", {"cron": "@yearly", "task": {"command": "x"}}
    )
    assert refused.status_code in (403, 409, 422, 429)
    # What is counted by each process: once it has looked again.
    quotas = {"requests_per_second": 1}
    assert both.admin(0)("PUT", f"/tenants/{tenant}", {"quotas": quotas}).ok
    until(lambda: viewer("GET", "/schedules").status_code == 429, within=2 + _SLACK)


def test_a_policy_that_was_changed_holds_at_the_other_node_at_once(
    both: Pair,
) -> None:
    here, there = both.tenant()
    for retries in (3, 5):
        profile = {"retries": {"max": retries}}
        assert here("PUT", "/profiles/patient", profile).ok
        if retries == 3:
            schedule = there.schedule(profile="patient")
        found = there.got(f"/schedules/{schedule['id']}")["policy"]["retries"]
        assert found["value"]["max"] == retries


def test_a_log_is_followed_at_the_other_node(both: Pair) -> None:
    here, there = both.tenant()
    worker = here.worker()
    lease = worker.started(here)
    with there(
        "GET",
        f"/runs/{lease['run']}/log",
        params={"follow": "true"},
        headers={"Accept": "text/plain"},
        stream=True,
    ) as stream:
        parts = stream.iter_content(chunk_size=None)
        for number, text in enumerate((b"one", b"two")):
            said(worker, lease, text, 3 * number)
            asked = time.monotonic()
            assert next(parts) == text
            assert time.monotonic() - asked < told_within(both)


def said(worker: Worker, lease: dict[str, object], text: bytes, offset: int) -> None:
    data = base64.b64encode(text).decode()
    chunk = {"stream": "stdout", "offset": offset, "data": data}
    answer = worker.report(lease, log=[chunk])
    assert answer.status_code == 200, answer.text


def test_events_are_followed_at_the_other_node(both: Pair) -> None:
    here, there = both.tenant()
    heard: list[float] = []
    news = threading.Event()
    with there(
        "GET", "/events", headers={"Accept": "text/event-stream"}, stream=True
    ) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith(b"retry")

        def read() -> None:
            for line in lines:
                if line == b"event: schedule.created":
                    heard.append(time.monotonic())
                    news.set()
                    return

        reader = threading.Thread(target=read)
        reader.start()
        here.schedule()
        done = time.monotonic()
        assert news.wait(timeout=20)
        reader.join()
    assert heard[0] - done < told_within(both)
