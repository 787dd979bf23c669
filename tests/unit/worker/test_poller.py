"""The long poll, against a service that answers as a test says."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from crony.client import Client
from crony.testing.serving import serving
from crony.worker import poller as module
from crony.worker.lease import Lease
from crony.worker.poller import Poller
from tests.unit.worker import factories

_EMPTY = {"held": "0s", "draining": False, "renewed": [], "revoked": [], "leases": []}


class Answers:
    """Polls as they come, and what is answered to each: ``put`` the answers."""

    def __init__(self) -> None:
        self.polls: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._answers: dict[int, queue.SimpleQueue[bytes]] = {}
        self._lock = threading.Lock()

    def of(self, sequence: int) -> queue.SimpleQueue[bytes]:
        """Return where the answer to a poll is waited for."""
        with self._lock:
            return self._answers.setdefault(sequence, queue.SimpleQueue())

    def answer(self, sequence: int, **members: object) -> None:
        """Answer a poll."""
        self.of(sequence).put(json.dumps({**_EMPTY, **members}).encode())


@contextmanager
def answering(answers: Answers) -> Iterator[str]:
    """Yield the address of what answers so."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            poll = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answers.polls.put(poll)
            content = answers.of(poll["seq"]).get()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    with serving(Handler) as url:
        yield url


class Worker:
    """Free slots that a test sets, and what arrived."""

    def __init__(self) -> None:
        self.slots = 0
        self.leases: list[Lease] = []


@pytest.fixture
def answers() -> Answers:
    """What is answered."""
    return Answers()


@pytest.fixture
def worker() -> Worker:
    """Who asks."""
    return Worker()


@pytest.fixture
def poller(answers: Answers, worker: Worker) -> Iterator[Poller]:
    """A poller that is at work."""
    with answering(answers) as url:
        made = Poller(
            lambda: Client(url, key="crony_test"),
            worker="wrk_1",
            session="ses_1",
            poll_wait=timedelta(seconds=20),
            slots=lambda: worker.slots,
            holding=list,
            leased=worker.leases.extend,
            unreadable=lambda *_: None,
            heard=lambda *_: None,
            failed=lambda *_: None,
        )
        thread = threading.Thread(target=made.run)
        thread.start()
        yield made
        made.close()
        thread.join()
        for sequence in range(100):
            answers.answer(sequence)


def next_poll(answers: Answers) -> tuple[int, int]:
    """Wait for a poll; return its number and its slots."""
    poll = answers.polls.get(timeout=10)
    return poll["seq"], poll["slots"]


def poll_for_one(answers: Answers) -> int:
    """Wait for a poll for one run; return its number."""
    while (poll := next_poll(answers))[1] != 1:
        pass
    return poll[0]


def polls_until_quiet(answers: Answers) -> Iterator[int]:
    """Yield the numbers of polls until none has come for a while."""
    with suppress(queue.Empty):
        while True:
            yield answers.polls.get(timeout=0.3)["seq"]


def test_a_free_slot_is_asked_for_beside_an_older_poll_that_stays_out(
    poller: Poller, answers: Answers, worker: Worker
) -> None:
    assert next_poll(answers) == (1, 0)
    worker.slots = 2
    poller.nudge()
    assert next_poll(answers) == (2, 2)
    answers.answer(2)
    # Nothing was told and at once: a moment later, not when the first one is back.
    assert next_poll(answers) == (3, 2)


def test_an_answer_that_told_something_is_followed_by_the_next_poll_at_once(
    poller: Poller, answers: Answers
) -> None:
    revoked = [{"run": "run_1", "token": 7, "reason": "cancelled"}]
    for sequence in range(1, 20):
        assert next_poll(answers) == (sequence, 0)
        answers.answer(sequence, revoked=revoked)


@pytest.mark.parametrize(
    ("start_in", "polls"),
    [("0s", 0), ("3s", 1)],
    ids=["starts now", "starts later"],
)
def test_runs_that_start_now_do_so_before_more_are_asked_for(
    start_in: str,
    polls: int,
    poller: Poller,
    answers: Answers,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_GIVE_WAY", timedelta(seconds=60))
    worker.slots = 1
    poller.nudge()
    first = poll_for_one(answers)
    answers.answer(first, leases=[factories.body(start_in=start_in)])
    later = [number for number in polls_until_quiet(answers) if number > first]
    assert len(later) == polls
    assert len(worker.leases) == 1


def test_more_are_asked_for_a_moment_later(
    poller: Poller, answers: Answers, worker: Worker
) -> None:
    worker.slots = 1
    poller.nudge()
    first = poll_for_one(answers)
    answers.answer(first, leases=[factories.body(start_in="0s")])
    assert poll_for_one(answers) == first + 1
