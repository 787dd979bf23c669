"""News reach whoever listens, in whatever process, where a store carries them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from crony import errors
from crony.storage import open_store
from crony.storage.contract import NEWS_BYTES, Store

_WITHIN = 30
Heard = queue.Queue[bytes]


@contextmanager
def listening(store: Store) -> Iterator[Heard]:
    """Listen, from the beginning of the block to its end."""
    heard: Heard = queue.Queue()
    over, asked = threading.Event(), threading.Event()

    def until() -> bool:
        asked.set()
        return over.is_set()

    listener = threading.Thread(
        target=store.listen, args=(heard.put,), kwargs={"until": until}
    )
    listener.start()
    try:
        # It is asked only once news are heard.
        assert not store.capabilities.notifies or asked.wait(_WITHIN)
        yield heard
    finally:
        over.set()
        listener.join(_WITHIN)
    assert not listener.is_alive()


def heard_of(store: Store, heard: Heard, said: list[bytes]) -> list[bytes]:
    """Return what was heard, as much as was said; nothing where nothing is carried."""
    if store.capabilities.notifies:
        return [heard.get(timeout=_WITHIN) for _ in said]
    assert heard.empty()
    return said


@pytest.fixture
def teller(shared: str) -> Iterator[Store]:
    """A store that other processes may open too, and that carries news."""
    store = open_store(shared)
    store.open()
    yield store
    store.close()


@pytest.fixture
def hearer(shared: str) -> Iterator[Store]:
    """The same, as another process has it open."""
    store = open_store(shared)
    store.open()
    yield store
    store.close()


class TestNews:
    def test_all_that_listen_hear_them_in_order(
        self, teller: Store, hearer: Store
    ) -> None:
        said = [str(number).encode() for number in range(9)]
        with listening(hearer) as there, listening(teller) as here:
            for news in said:
                teller.tell(news)
            for heard in (there, here):
                assert heard_of(teller, heard, said) == said

    def test_whatever_they_say_arrives_as_it_is(
        self, teller: Store, hearer: Store
    ) -> None:
        said = [b"", bytes(range(256)), b"'\\\"\n\x00\xff", b"x" * NEWS_BYTES]
        with listening(hearer) as heard:
            for news in said:
                teller.tell(news)
            assert heard_of(teller, heard, said) == said

    def test_what_was_told_before_is_not_heard(
        self, teller: Store, hearer: Store
    ) -> None:
        teller.tell(b"early")
        with listening(hearer) as heard:
            teller.tell(b"now")
            assert heard_of(teller, heard, [b"now"]) == [b"now"]

    def test_whoever_has_enough_listens_no_more(
        self, teller: Store, hearer: Store
    ) -> None:
        with listening(hearer) as heard:
            pass
        teller.tell(b"late")
        assert heard.empty()

    def test_a_closed_store_carries_none(self, teller: Store) -> None:
        teller.close()
        if not teller.capabilities.notifies:
            teller.listen(_ignore, until=lambda: False)
            return
        with pytest.raises(errors.StoreUnavailable):
            teller.tell(b"late")
        with pytest.raises(errors.StoreUnavailable):
            teller.listen(_ignore, until=lambda: False)


def _ignore(_: bytes) -> None:
    """Hear nothing."""
