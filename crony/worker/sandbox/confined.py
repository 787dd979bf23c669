"""A run of the levels ``full`` and ``namespaces``, inside bubblewrap."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from crony import errors
from crony.worker.sandbox import gate, processes, watchdog
from crony.worker.sandbox.cgroups import Group
from crony.worker.sandbox.pipes import Pipes
from crony.worker.sandbox.places import Places
from crony.worker.sandbox.process import Process, outermost_ending
from crony.worker.sandbox.spawner import Child
from crony.worker.sandbox.values import Limits


class Confined(Process):
    """A run inside bubblewrap; its first process inside waits for the task."""

    def __init__(
        self,
        child: Child,
        pipes: Pipes,
        limits: Limits,
        *,
        group: Group | None,
        status: int,
        places: Places,
    ) -> None:
        super().__init__(child, pipes, limits, group=group)
        self._places = places
        self._json = status
        self._inner: int | None = None
        self._inner_pid = 0
        self._closing: Callable[[], None] | None = None

    def when_closed(self, call: Callable[[], None]) -> None:
        """Have ``call`` called once nothing of it is left."""
        self._closing = call

    def close(self) -> None:
        super().close()
        call, self._closing = self._closing, None
        if call is not None:
            call()

    def terminate(self) -> None:
        with self._lock:
            if self._inner is None:
                return
            for pid in processes.children(self._inner_pid):
                processes.send_child(pid, signal.SIGTERM, parent=self._inner_pid)

    def death_fds(self) -> tuple[int, ...]:
        inner = () if self._inner is None else (self._inner,)
        return (self.pidfd, *inner)

    @property
    def inner_pid(self) -> int:
        """The first process inside, as the host numbers it; 0 when not known."""
        return self._inner_pid

    def _at_gate(self) -> None:
        self._find_inner()
        if self._inner is None:
            raise errors.SandboxFailed("the sandbox came up and ended at once")
        self._places.verify(self._inner_pid)
        self._places.close()

    def _find_inner(self) -> None:
        """Learn from bubblewrap which process is the first one inside."""
        if self._json < 0:
            return
        said = b""
        with suppress(BlockingIOError):
            said = os.read(self._json, 4096)
        os.close(self._json)
        self._json = -1
        line, _, _ = said.partition(b"\n")
        with suppress(ValueError, KeyError):
            self._inner_pid = int(json.loads(line)["child-pid"])
            self._inner = processes.open_child(self._inner_pid, parent=self.outer_pid)

    def _kill_task(self) -> None:
        self._find_inner()
        if self._inner is not None:
            processes.send(self._inner, signal.SIGKILL)
        if self._group is not None:
            self._group.kill()

    def _sweep(self) -> None:
        # The end of the first process inside is the end of all of them.
        if self._inner is not None:
            processes.send(self._inner, signal.SIGKILL)
            processes.gone(self._inner, within=None)
        elif not self._ready:
            # When bubblewrap dies between its fork and the end of its preparations,
            # its child waits for it without end; it is in our session still.
            watchdog.kill_sessions({self.outer_pid: self.pidfd})

    def _ending(self, status: int) -> gate.Ending:
        if (said := gate.read_ending(self._pipes.status)) is not None:
            return said
        # The first process can't be ended but by SIGKILL; bubblewrap may have ended
        # of something else meanwhile.
        return gate.Ending(None, "SIGKILL") if self._ready else outermost_ending(status)

    def _clean(self) -> None:
        self._places.close()
        if self._json >= 0:
            os.close(self._json)
        if self._inner is not None:
            os.close(self._inner)
            self._inner = None
