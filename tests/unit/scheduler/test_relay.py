"""News reach the processes of other hosts, and nobody waits for that."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from crony import errors
from crony.scheduler import relay
from crony.scheduler.relay import MOST, Relay
from crony.scheduler.wake import Wake
from crony.storage.contract import NEWS_BYTES, Capabilities
from crony.storage.memory import MemoryStore

READY = Wake(ready=frozenset({("default", "gpu")}))


class Post(MemoryStore):
    """A store that carries news between the relays of a test, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self._listeners: dict[object, queue.SimpleQueue[bytes | None]] = {}
        self._away = threading.Event()
        #: Cleared: telling takes as long as that.
        self.quick = threading.Event()
        self.quick.set()
        self.told: list[bytes] = []

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, shared=True, notifies=True)

    def away(self) -> None:
        self._away.set()
        for letters in list(self._listeners.values()):
            letters.put(None)

    def back(self) -> None:
        self._away.clear()

    def _check(self) -> None:
        if self._away.is_set():
            raise errors.StoreUnavailable("away", retry_after=timedelta(seconds=1))

    def tell(self, news: bytes) -> None:
        assert self.quick.wait(timeout=20)
        self._check()
        self.told.append(news)
        for letters in list(self._listeners.values()):
            letters.put(news)

    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        self._check()
        me, letters = object(), queue.SimpleQueue[bytes | None]()
        self._listeners[me] = letters
        try:
            while not until():
                try:
                    letter = letters.get(timeout=0.05)
                except queue.Empty:
                    continue
                if letter is None:
                    raise errors.StoreUnavailable(
                        "lost", retry_after=timedelta(seconds=1)
                    )
                hear(letter)
        finally:
            del self._listeners[me]


@pytest.fixture
def post() -> Post:
    return Post()


class Host:
    """A relay, and what it heard."""

    def __init__(self, post: Post) -> None:
        self.heard: queue.SimpleQueue[Wake] = queue.SimpleQueue()
        self.relay = Relay(post, self.heard.put)

    def hears(self, wanted: Callable[[Wake], bool], *, within: float = 20) -> Wake:
        """Return the next wake that is wanted."""
        until = time.monotonic() + within
        while True:
            wake = self.heard.get(timeout=max(0.0, until - time.monotonic()))
            if wanted(wake):
                return wake

    def missed(self) -> Wake:
        return self.hears(lambda wake: wake.missed)


@contextmanager
def hosts(post: Post, *places: str | None) -> Iterator[list[Host]]:
    """Open relays that all hear each other; each looked once then."""
    made = [Host(post) for _ in places]
    try:
        for host, place in zip(made, places, strict=True):
            host.relay.open(place)
            host.missed()
            assert host.relay.hears_all
        yield made
    finally:
        post.quick.set()
        for host in made:
            host.relay.close()


def test_news_reach_other_hosts_but_neither_oneself_nor_neighbours(post: Post) -> None:
    with hosts(post, "here", "here", "there", None) as (one, neighbour, far, alone):
        one.relay.send(READY)
        assert far.heard.get(timeout=20) == READY
        assert alone.heard.get(timeout=20) == READY
        # What came after it has come: nothing is under way to the others.
        far.relay.send(Wake(tick=True))
        assert one.heard.get(timeout=20) == Wake(tick=True)
        assert neighbour.heard.get(timeout=20) == Wake(tick=True)


def test_publishing_waits_for_no_store_and_news_that_queue_up_are_merged(
    post: Post,
) -> None:
    with hosts(post, "a", "b") as (one, other):
        post.quick.clear()
        before = len(post.told)
        for number in range(500):
            one.relay.send(Wake(runs=frozenset({f"run_{number:026}"})))
            one.relay.send(READY)
        post.quick.set()
        runs: set[str] = set()
        while len(runs) < 500:
            wake = other.heard.get(timeout=20)
            assert not wake.missed
            runs |= wake.runs
        told = post.told[before:]
        # The first alone, then the others together, in as few as hold them.
        assert len(told) <= 8
        assert max(map(len, told)) <= NEWS_BYTES


def test_of_very_much_it_is_said_that_there_may_be_anything(post: Post) -> None:
    with hosts(post, "a", "b") as (one, other):
        post.quick.clear()
        one.relay.send(READY)
        for number in range(3 * MOST):
            one.relay.send(Wake(runs=frozenset({f"run_{number}"})))
        assert len(one.relay._news) <= MOST
        post.quick.set()
        other.missed()


def test_a_store_that_was_away_is_listened_to_again_and_everybody_looks_once(
    post: Post,
) -> None:
    with hosts(post, "a", "b") as (one, other):
        post.away()
        one.relay.send(READY)
        _until(lambda: not one.relay.hears_all and not other.relay.hears_all)
        post.back()
        one.missed()
        other.missed()
        _until(lambda: one.relay.hears_all and other.relay.hears_all)
        one.relay.send(Wake(events=True))
        other.hears(lambda wake: wake.events)


def test_a_store_that_breaks_otherwise_ends_neither_thread(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hosts(post, "a", "b") as (one, other):

        def broken(news: bytes) -> None:
            raise ValueError(news)

        with monkeypatch.context() as patch:
            patch.setattr(post, "tell", broken)
            one.relay.send(READY)
            _until(lambda: one.relay._news.missed)
        other.missed()


def test_waits_grow_and_are_bounded() -> None:
    pauses = relay._Pauses()
    waits = [pauses.grown() for _ in range(20)]
    assert waits[0] <= 0.05
    assert max(waits) <= 2
    assert min(waits[10:]) >= 1
    pauses.reset()
    assert pauses.grown() <= 0.05


def test_what_was_sent_right_before_the_end_is_told(post: Post) -> None:
    with hosts(post, "a", "b") as (one, other):
        one.relay.send(Wake(duties=frozenset({"tick"})))
        one.relay.close()
        assert other.heard.get(timeout=20).duties == {"tick"}


def test_nonsense_is_passed_over(post: Post) -> None:
    with hosts(post, "a") as (one,):
        for news in (b"{", b"[]", b"7", b'{"ready": 1}', b"\xff", b"{}"):
            post.tell(news)
        post.tell(b'{"tick": true}')
        assert one.heard.get(timeout=20) == Wake(tick=True)


def test_without_news_from_the_store_it_is_known_that_they_do_not_arrive() -> None:
    class Deaf(MemoryStore):
        @property
        def capabilities(self) -> Capabilities:
            return replace(super().capabilities, shared=True)

    host = Relay(Deaf(), lambda _: None)
    host.open("a")
    host.send(READY)
    assert not host.hears_all
    assert not host._threads
    host.close()


def test_a_store_of_this_process_alone_has_no_other_news() -> None:
    host = Relay(MemoryStore(), lambda _: None)
    host.open("a")
    assert host.hears_all


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)
