"""Empty networks that are made once for each slot, since to make one takes longest.

A network namespace costs a third of a sandbox's start, and its removal as much again,
behind a lock of the whole kernel. A worker that is root makes one for each of its slots
and starts each run of the slot in it, one after the other, never two at once. What a
run might leave in it are sockets: in one that has any, also such that only wait for
their time to pass, nothing is started; it is replaced.

All of it happens on the spawner's thread, whose network its children inherit.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from crony.worker.sandbox import linux

_OWN = "/proc/thread-self/ns/net"
_COUNTS = ("/proc/thread-self/net/sockstat", "/proc/thread-self/net/sockstat6")
#: Words of those files behind which a number of sockets stands; what memory they take
#: and what all namespaces share is not the namespace's own.
_SOCKETS = frozenset({"inuse", "tw"})


class Networks:
    """The networks of one worker; used on one thread alone."""

    def __init__(self) -> None:
        """Note the host's own; raises ``OSError`` where none can be made."""
        self._host = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        self._of_slots: dict[int, int] = {}
        try:
            self._make()
            linux.enter_network(self._host)
        except OSError:
            os.close(self._host)
            raise

    def within(self, slot: int, call: Callable[[], int]) -> int:
        """Call with the empty network of a slot as the thread's own."""
        try:
            self._enter(slot)
            return call()
        finally:
            linux.enter_network(self._host)

    def _enter(self, slot: int) -> None:
        made = self._of_slots.get(slot)
        if made is not None:
            linux.enter_network(made)
            if _is_empty():
                return
            os.close(self._of_slots.pop(slot))
        self._make()
        self._of_slots[slot] = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)

    def _make(self) -> None:
        linux.unshare_network()
        # As bubblewrap does: programs speak to themselves over it.
        linux.raise_loopback()

    def close(self) -> None:
        """Let them go."""
        for made in (*self._of_slots.values(), self._host):
            with suppress(OSError):
                os.close(made)
        self._of_slots.clear()


def _is_empty() -> bool:
    """Return whether the thread's network has no sockets."""
    for path in _COUNTS:
        for line in Path(path).read_text().splitlines():
            words = line.split()
            counts = zip(words[1::2], words[2::2], strict=False)
            if any(word in _SOCKETS and count != "0" for word, count in counts):
                return False
    return True
