"""Redis: who listens to it knows when it is lost."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crony import errors
from crony.storage import open_store
from crony.storage.contract import Store
from crony.storage.redis import telling
from crony.testing.servers.redis import Redis
from crony.testing.storage.news import listening

_WITHIN = 30


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    """A server of this test's own."""
    with Redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def store(server: Redis) -> Iterator[Store]:
    """A store on it."""
    store = open_store(server.url)
    store.migrate()
    store.open()
    yield store
    store.close()


def lost(store: Store) -> queue.Queue[errors.CronyError]:
    """Listen; return where it says with what it ended."""
    begun = threading.Event()
    ends: queue.Queue[errors.CronyError] = queue.Queue()

    def until() -> bool:
        begun.set()
        return False

    def listen() -> None:
        try:
            store.listen(lambda _: None, until=until)
        except errors.CronyError as exc:
            ends.put(exc)

    threading.Thread(target=listen, daemon=True).start()
    assert begun.wait(_WITHIN)
    return ends


def test_a_server_that_was_killed_is_told_of(server: Redis, store: Store) -> None:
    ends = lost(store)
    server.kill()
    assert isinstance(ends.get(timeout=_WITHIN), errors.StoreUnavailable)
    server.start()
    with listening(store) as heard:
        store.tell(b"back")
        assert heard.get(timeout=_WITHIN) == b"back"


def test_so_is_one_that_stands_still(
    server: Redis, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "ANSWER_WITHIN", 1.0)
    monkeypatch.setattr(telling, "_SILENCE", 0.2)
    ends = lost(store)
    server.freeze()
    try:
        assert isinstance(ends.get(timeout=_WITHIN), errors.StoreUnavailable)
    finally:
        server.thaw()


def test_one_that_is_silent_for_long_is_listened_to(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "ANSWER_WITHIN", 1.0)
    monkeypatch.setattr(telling, "_SILENCE", 0.2)
    ends = lost(store)
    # It is asked whether it is there, and says so.
    with pytest.raises(queue.Empty):
        ends.get(timeout=3)


def test_a_store_that_is_closed_is_listened_to_no_more(store: Store) -> None:
    ends = lost(store)
    store.close()
    assert isinstance(ends.get(timeout=_WITHIN), errors.StoreUnavailable)


def test_another_database_of_the_server_hears_nothing(
    server: Redis, store: Store
) -> None:
    other = open_store(server.url.removesuffix("/0") + "/1")
    other.migrate()
    other.open()
    with listening(other) as heard, listening(store) as mine:
        store.tell(b"mine")
        assert mine.get(timeout=_WITHIN) == b"mine"
        other.tell(b"theirs")
        assert heard.get(timeout=_WITHIN) == b"theirs"
    other.close()
