"""Hear at once of control groups of version 1 that are out of memory.

There the kernel kills one process of the group and lets the others go on.
"""

import os
import select
import threading
from collections.abc import Callable

from crony import log

_log = log.get(__name__)


class Bells:
    """One thread that waits for the bells of all groups."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._calls: dict[int, Callable[[], None]] = {}
        self._lock = threading.Lock()
        self._ending = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll.register(self._ending, select.EPOLLIN)
        self._thread = threading.Thread(
            target=self._run, name="crony-bells", daemon=True
        )
        self._thread.start()

    def hang(self, group: str, call: Callable[[], None]) -> int:
        """Have ``call`` called when memory is short in a group; give its bell."""
        bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            state = os.open(f"{group}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _write(f"{group}/cgroup.event_control", f"{bell} {state}")
            finally:
                os.close(state)
        except OSError:
            os.close(bell)
            raise
        with self._lock:
            self._calls[bell] = call
            self._poll.register(bell, select.EPOLLIN)
        return bell

    def take_down(self, bell: int) -> None:
        """Forget a bell, before its group goes: that would ring it, too."""
        with self._lock:
            if self._calls.pop(bell, None) is not None:
                self._poll.unregister(bell)
                os.close(bell)

    def close(self) -> None:
        """End the thread."""
        os.eventfd_write(self._ending, 1)
        self._thread.join()
        with self._lock:
            bells = list(self._calls)
        for bell in bells:
            self.take_down(bell)
        self._poll.close()
        os.close(self._ending)

    def _run(self) -> None:
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._ending:
                    return
                if (call := self._rung(fd)) is not None:
                    try:
                        call()  # without the lock: it may take others
                    except Exception:  # noqa: BLE001  # others want to hear theirs
                        _log.exception("run that is short of memory was not killed")

    def _rung(self, bell: int) -> Callable[[], None] | None:
        with self._lock:
            call = self._calls.get(bell)
            try:
                # The number may be a new bell's, which nobody has rung.
                return call if call is not None and os.eventfd_read(bell) else None
            except BlockingIOError:
                return None


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
