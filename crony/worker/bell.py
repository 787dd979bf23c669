"""What makes a worker end: a signal, or a safeguard or a right that is gone."""

from __future__ import annotations

import os
import select
import signal
from datetime import timedelta
from types import FrameType

from crony import errors, log

_log = log.get(__name__)


class Bell:
    """Rung by signals and by whoever fails; the main thread waits for it.

    ``watchdog`` is readable once the watchdog is gone: a reason to end too.
    """

    def __init__(self, watchdog: int) -> None:
        # A signal's handler may take no lock that the interrupted code could hold:
        # it writes to a descriptor.
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._watchdog = watchdog
        self._signals = 0
        #: Why no run may start any more.
        self.failure: errors.CronyError | None = None

    def listen(self) -> None:
        """Take SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        os.eventfd_write(self._fd, 1)

    def fail(self, failure: errors.CronyError) -> None:
        """End the worker for this reason, the first of them; from any thread."""
        if self.failure is None:
            self.failure = failure
            _log.error("worker must end", detail=str(failure))
        os.eventfd_write(self._fd, 1)

    @property
    def impatient(self) -> bool:
        """Whether it was told twice to end."""
        return self._signals > 1

    def at_once(self) -> bool:
        """Whether nothing may be waited for that still runs."""
        return self.impatient or self.failure is not None

    def rung(self, *, within: timedelta) -> bool:
        """Wait for a reason to end."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._watchdog, select.POLLIN)
        readable = dict(poll.poll(within / timedelta(milliseconds=1)))
        if self._watchdog in readable:
            self.fail(errors.MissingSafeguard("the watchdog is gone"))
        return self._signals > 0 or self.failure is not None
