"""Empty networks that are made once for each slot, since to make one takes longest.

A network namespace costs a third of a sandbox's start, and its removal as much again,
behind a lock of the whole kernel. A worker that is root makes one for each of its slots
and starts each run of the slot in it, one after the other, never two at once. What a
run might leave in it are sockets: those that wait for their time to pass, and those of
which somebody else was given a descriptor. Where there is any, of whatever kind, the
network is replaced.

All of it happens on the spawner's thread, whose network its children inherit.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from crony.worker.sandbox import linux

_OWN = "/proc/thread-self/ns/net"
_COUNTS = "/proc/thread-self/net/sockstat"
#: Not there where the kernel has no IPv6.
_COUNTS_V6 = "/proc/thread-self/net/sockstat6"
#: Words behind which a number of the namespace's own sockets stands: of all kinds, of
#: each that has an address, and of connections that are remembered. Besides there are
#: numbers that are the whole host's.
_SOCKETS = frozenset({"used", "inuse", "tw"})

Counts = tuple[str, ...]


class Networks:
    """The networks of one worker; used on one thread alone."""

    def __init__(self) -> None:
        """Note the host's own; raises ``OSError`` where none can be made."""
        _probe()
        self._host = _opened()
        #: By slot: the network, and what is counted in it while it is empty.
        self._of_slots: dict[int, tuple[int, Counts]] = {}

    def within(self, slot: int, call: Callable[[], int]) -> int:
        """Call with the empty network of a slot as the thread's own."""
        try:
            self._enter(slot)
            return call()
        finally:
            linux.enter_network(self._host)

    def _enter(self, slot: int) -> None:
        if slot in self._of_slots:
            made, empty = self._of_slots[slot]
            linux.enter_network(made)
            if _counts() == empty:
                return
            del self._of_slots[slot]
            os.close(made)
        _make()
        self._of_slots[slot] = _opened(), _counts()

    def close(self) -> None:
        """Let them go."""
        networks = [made for made, _ in self._of_slots.values()]
        for each in (*networks, self._host):
            with suppress(OSError):
                os.close(each)
        self._of_slots.clear()


def _probe() -> None:
    """Make one, look into it and come back; raise ``OSError`` where that fails.

    On a thread of its own: where there is no way back, it ends there.
    """
    failures: list[OSError] = []

    def attempt() -> None:
        try:
            host = _opened()
            try:
                _make()
                _counts()
                linux.enter_network(host)
            finally:
                os.close(host)
        except OSError as exc:
            failures.append(exc)

    thread = threading.Thread(target=attempt, name="crony-network")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def _opened() -> int:
    """Return the thread's network as a descriptor."""
    return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)


def _make() -> None:
    """Give the thread a new network."""
    linux.unshare_network()
    # As bubblewrap does: programs speak to themselves over it.
    linux.raise_loopback()


def _counts() -> Counts:
    """Return how many sockets of each kind the thread's network has."""
    text = Path(_COUNTS).read_text()
    with suppress(FileNotFoundError):
        text += Path(_COUNTS_V6).read_text()
    found = []
    for line in text.splitlines():
        words = line.split()
        counts = zip(words[1::2], words[2::2], strict=False)
        found += [count for word, count in counts if word in _SOCKETS]
    return tuple(found)
