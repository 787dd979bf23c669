"""Long polls: woken by what happens, not by time."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from crony import wire
from crony.testing.service import running_service
from tests.integration.api.caller import Caller, Worker, kind, unique


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


def waiting(caller: Caller) -> int:
    """Return how many polls wait at the service."""
    admin = Caller(caller.url, caller.key)
    text = admin("GET", "/metrics").text
    (line,) = [x for x in text.splitlines() if x.startswith("crony_waiting_polls ")]
    return int(float(line.split()[1]))


def until(holds: Callable[[], bool]) -> None:
    """Ask until something holds: a client can't be told of it."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline


@pytest.fixture
def begun(
    tenant: Caller, threads: ThreadPoolExecutor
) -> Callable[..., Future[requests.Response]]:
    """What begins a long poll, and returns once it waits at the service."""

    def begin(worker: Worker, **members: object) -> Future[requests.Response]:
        before = waiting(tenant)
        poll = threads.submit(worker.poll, **{"wait": "30s", **members})
        until(lambda: waiting(tenant) == before + 1)
        return poll

    return begin


Begun = Callable[..., Future[requests.Response]]


def test_a_poll_is_answered_when_a_run_comes(tenant: Caller, begun: Begun) -> None:
    worker = tenant.worker()
    poll = begun(worker)
    asked = time.monotonic()
    tenant.schedule(at="now", queue=worker.queue)
    answer = poll.result(timeout=20).json()
    assert len(answer["leases"]) == 1
    # Not after the poll's wait, nor after the look that is taken every second.
    assert time.monotonic() - asked < 5


def test_a_cancellation_reaches_the_waiting_worker(
    tenant: Caller, begun: Begun
) -> None:
    worker = tenant.worker()
    for slots in (4, 0):
        lease = worker.started(tenant)
        held = [{"run": lease["run"], "token": lease["token"]}]
        poll = begun(worker, holding=held, slots=slots)
        tenant.made(f"/runs/{lease['run']}/cancel")
        answer = poll.result(timeout=20).json()
        assert answer["revoked"] == [{**held[0], "reason": "cancelled"}]


def test_a_cancellation_that_was_told_ends_no_other_poll_and_is_still_listed(
    tenant: Caller, begun: Begun
) -> None:
    worker = tenant.worker()
    lease = worker.started(tenant)
    held = [{"run": lease["run"], "token": lease["token"]}]
    tenant.made(f"/runs/{lease['run']}/cancel")
    revoked = [{**held[0], "reason": "cancelled"}]
    assert worker.poll(holding=held, wait="30s").json()["revoked"] == revoked
    again = worker.poll(holding=held, wait="300ms").json()
    assert again["revoked"] == revoked
    assert wire.parse_duration(again["held"]) >= timedelta(milliseconds=300)
    # Another start of the worker was told nothing yet.
    worker.session = unique("ses")
    assert worker.poll(holding=held, wait="30s").json()["revoked"] != []


def test_a_newer_poll_that_is_answered_at_once_ends_the_waiting_one(
    tenant: Caller, begun: Begun
) -> None:
    worker = tenant.worker()
    poll = begun(worker, slots=0)
    assert worker.poll(wait="0s").status_code == 200
    assert kind(poll.result(timeout=20)) == (409, "stale-token")


def test_a_drain_reaches_the_waiting_worker(tenant: Caller, begun: Begun) -> None:
    worker = tenant.worker()
    poll = begun(worker)
    tenant.made(f"/workers/{worker.id}/drain")
    assert poll.result(timeout=20).json()["draining"] is True


def test_a_newer_poll_ends_the_waiting_one(tenant: Caller, begun: Begun) -> None:
    worker = tenant.worker()
    poll = begun(worker)
    stale = worker.poll(seq=1)
    assert kind(stale) == (409, "stale-token")
    assert not poll.done()
    newer = threading.Thread(target=worker.poll, kwargs={"wait": "1s"})
    newer.start()
    assert kind(poll.result(timeout=20)) == (409, "stale-token")
    newer.join()


def test_each_run_wakes_one_of_many_waiting_workers(
    tenant: Caller, begun: Begun
) -> None:
    queue = unique("q")
    workers = [tenant.worker(queues=[queue], slots=1) for _ in range(20)]
    polls = [begun(worker, slots=1) for worker in workers]
    for _ in workers:
        tenant.schedule(at="now", queue=queue)
    leases = [poll.result(timeout=25).json()["leases"] for poll in polls]
    assert [len(found) for found in leases] == [1] * 20
    assert len({found[0]["run"] for found in leases}) == 20


def test_a_run_finds_the_only_worker_that_fits(tenant: Caller, begun: Begun) -> None:
    queue = unique("q")
    others = [tenant.worker(queues=[queue]) for _ in range(5)]
    fitting = tenant.worker(queues=[queue], labels={"gpu": "yes"})
    polls = [begun(other, wait="2s") for other in others]
    poll = begun(fitting)
    tenant.schedule(at="now", queue=queue, requires={"gpu": "yes"})
    assert len(poll.result(timeout=20).json()["leases"]) == 1
    for other in polls:
        assert other.result(timeout=20).json()["leases"] == []


def test_a_client_that_goes_away_leaves_its_run_to_others(
    tenant: Caller, begun: Begun
) -> None:
    queue = unique("q")
    lost, other = tenant.worker(queues=[queue]), tenant.worker(queues=[queue])
    before = waiting(tenant)
    with abandoned(lost):
        until(lambda: waiting(tenant) == before + 1)
    until(lambda: waiting(tenant) == before)
    poll = begun(other)
    tenant.schedule(at="now", queue=queue)
    assert len(poll.result(timeout=20).json()["leases"]) == 1


def abandoned(worker: Worker) -> socket.socket:
    """Send a long poll over a socket whose end is the caller's to choose."""
    host, _, port = worker.call.url.removeprefix("http://").partition(":")
    body = json.dumps(
        {"session": worker.session, "seq": 1, "slots": 4, "wait": "30s"}
    ).encode()
    connection = socket.create_connection((host, int(port)))
    head = (
        f"POST /workers/{worker.id}/leases HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {worker.call.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def test_a_poll_that_waits_in_vain_answers_in_time(tenant: Caller) -> None:
    worker = tenant.worker()
    asked = time.monotonic()
    answer = worker.poll(wait="0.3s").json()
    # Timers of the event loop count whole milliseconds.
    assert 0.29 <= time.monotonic() - asked < 5
    assert answer["leases"] == []
    held = wire.parse_duration(answer["held"]).total_seconds()
    assert 0.29 <= held <= time.monotonic() - asked


def test_a_hundred_waiting_workers_hold_nobody_up(tenant: Caller) -> None:
    before = waiting(tenant)
    connections = [abandoned(tenant.worker()) for _ in range(100)]
    try:
        until(lambda: waiting(tenant) == before + 100)
        # More than there are threads for the store: waiting takes none.
        assert tenant.got("/stats")["workers"]["online"] == 100
    finally:
        for connection in connections:
            connection.close()
    until(lambda: waiting(tenant) == before)


def test_several_processes_wake_each_other(tmp_path: Path) -> None:
    with running_service(tmp_path / "home", processes="3") as service:
        admin = Caller(service.url, service.admin_key)
        worker = admin.worker()
        answers: list[requests.Response] = []
        for number in range(8):
            held = [{"run": x["run"], "token": x["token"]} for x in leases(answers)]
            poll = threading.Thread(target=polled, args=(worker, held, answers))
            poll.start()
            admin.schedule(at="now", queue=worker.queue)
            poll.join(timeout=10)
            assert len(leases(answers)) == number + 1
            worker.report(leases(answers)[-1], state="running")
        assert service.stop() == 0


def polled(
    worker: Worker,
    held: list[dict[str, object]],
    answers: list[requests.Response],
) -> None:
    answers.append(worker.poll(wait="30s", holding=held))


def leases(answers: list[requests.Response]) -> list[dict[str, object]]:
    return [lease for answer in answers for lease in answer.json()["leases"]]
