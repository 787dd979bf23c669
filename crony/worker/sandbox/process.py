"""What the prepared processes of all levels have in common."""

import os
import resource
import signal
import threading
from abc import abstractmethod
from contextlib import suppress
from datetime import timedelta

from crony import errors
from crony.worker.sandbox import gate, processes
from crony.worker.sandbox.cgroups import Group, Usage
from crony.worker.sandbox.contract import Prepared
from crony.worker.sandbox.pipes import Pipes
from crony.worker.sandbox.spawner import Child
from crony.worker.sandbox.values import Exit, Limits

#: What is above this in an exit code is a signal.
_SIGNALS = 128

_READY_WITHIN = timedelta(seconds=30)
_NO_TIME = timedelta(0)


class Process(Prepared):
    """A spawned process behind its gate; the levels say who else is to be killed."""

    def __init__(
        self, child: Child, pipes: Pipes, limits: Limits, *, group: Group | None
    ) -> None:
        self.outer_pid, self.pidfd = child
        self.stdout, self.stderr = pipes.stdout, pipes.stderr
        self.progress = pipes.progress
        self._pipes = pipes
        self._limits = limits
        self._group = group
        self._ready = False
        self._out_of_memory = False
        self._memory_seen = 0
        self._exit: Exit | None = None
        self._closed = False
        self._lock = threading.RLock()
        if group is not None:
            group.on_shortage(self._ran_short)

    def wait_ready(self, timeout: timedelta) -> None:
        with self._lock:
            if self._ready:
                return
            if not gate.wait_ready(self._pipes.status, timeout=timeout):
                self._pipes.close_gate()
                self.kill()
                raise errors.SandboxFailed(self._why_not_ready())
            try:
                self._at_gate()
            except errors.SandboxFailed:
                self._pipes.close_gate()
                self.kill()
                raise
            self._ready = True

    def give_order(self, text: bytes) -> None:
        """Say what is to be executed; once, before the release."""
        with self._lock:
            self._pipes.give_order(text)

    @property
    def stands(self) -> bool:
        """Whether it is at its gate still."""
        return self._ready and not processes.gone(self.pidfd, within=_NO_TIME)

    def release(self) -> None:
        with self._lock:
            if self._pipes.gate < 0:
                raise errors.SandboxFailed("the prepared process is gone")
            self.wait_ready(_READY_WITHIN)
            gate.go(self._pipes.gate)
            self._pipes.close_gate()

    def wait(self) -> Exit:
        processes.gone(self.pidfd, within=None)
        with self._lock:
            if self._exit is None:
                self._sweep()
                _, status, used = os.wait4(self.outer_pid, 0)
                self._exit = self._make_exit(status, used)
            return self._exit

    def discard(self) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._pipes.close_gate()
            if self._exit is None:
                self.kill()
                self.wait()
            if self._group is not None:
                self._group.dissolve()
            self._clean()
            self._pipes.close()
            os.close(self.pidfd)

    def kill(self) -> None:
        with self._lock:
            if self._exit is None:
                self._kill_task()
                processes.send(self.pidfd, signal.SIGKILL)

    @property
    def over(self) -> bool:
        """The run has ended, or was closed."""
        return self._exit is not None or self._closed

    def saw_memory(self, used: int) -> None:
        """Note what was in use at one instant; more than allowed is the end."""
        with self._lock:
            if self._exit is None:
                self._memory_seen = max(self._memory_seen, used)
                if used > self._limits.memory:
                    self._ran_short()

    def _ran_short(self) -> None:
        """One process was killed for lack of memory: that is the end of the run."""
        with self._lock:
            if self._exit is None:
                self._out_of_memory = True
                self.kill()

    def death_fds(self) -> tuple[int, ...]:
        return (self.pidfd,)

    def death_places(self) -> tuple[str, ...]:
        groups = () if self._group is None else self._group.death_paths
        return (str(self.outer_pid), *groups)

    @abstractmethod
    def _kill_task(self) -> None:
        """Send SIGKILL to what the outermost process does not take with it."""

    @abstractmethod
    def _sweep(self) -> None:
        """See to it that nothing is left; the outermost process is a zombie now."""

    @abstractmethod
    def _at_gate(self) -> None:
        """Do what can be done only now that the process stands at its gate."""

    @abstractmethod
    def _ending(self, status: int) -> gate.Ending:
        """Say how the task itself ended, from the outermost process's status."""

    def _clean(self) -> None:
        """Remove what is left on the host."""

    def _why_not_ready(self) -> str:
        if self.wait().oom:
            return "the sandbox had too little memory to start the task"
        said = b""
        with suppress(OSError):
            said = os.read(self.stderr, 500)
        words = said.decode(errors="replace").strip() or "it ended without a word"
        return f"the sandbox did not come up: {words}"

    def _make_exit(self, status: int, used: resource.struct_rusage) -> Exit:
        usage = Usage(
            oom=False,
            cpu=timedelta(seconds=used.ru_utime + used.ru_stime),
            memory_peak=self._memory_seen or None,
        )
        if self._group is not None:
            with suppress(OSError, ValueError):
                usage = self._group.usage()
        ending = self._ending(status)
        return Exit(
            exit_code=ending.exit_code,
            signal=ending.signal,
            oom=usage.oom or self._out_of_memory,
            cpu=usage.cpu,
            memory_peak=usage.memory_peak,
        )


def outermost_ending(status: int) -> gate.Ending:
    """Read bubblewrap's wait status, for a run whose gate was killed with it."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0 or code > _SIGNALS:
        return gate.Ending(None, gate.signal_name(abs(code) % _SIGNALS))
    return gate.Ending(code, None)
