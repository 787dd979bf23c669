"""The one thread that starts every sandbox of a worker.

``--die-with-parent`` follows the *thread* that spawned, not the process: were a
thread of a pool to spawn, the task would die with that thread. So all spawning
is done here, by a thread that lives as long as the sandbox object. What its
children are to have from their first instruction on, it has itself while it spawns,
and nobody else of the worker does: mounts, a network, a run's groups, a task's uid.
"""

import fcntl
import os
import queue
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from typing import NamedTuple, TypeVar

from crony import errors
from crony.worker.sandbox import gate, linux, rights, spawning, stages
from crony.worker.sandbox.cgroups import Group
from crony.worker.sandbox.leash import Leash
from crony.worker.sandbox.networks import Networks

Result = TypeVar("Result")

#: Descriptors that are passed on are moved up here first, so that giving one its
#: number in the child can't overwrite another that is still to be moved.
_CLEAR_OF = 200


class Child(NamedTuple):
    """A process that was started here and is not reaped yet."""

    pid: int
    pidfd: int


class Spawner:
    """Run calls one after the other on one long-lived thread."""

    def __init__(self, leash: Leash) -> None:
        self.leash = leash
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, name="crony-spawner", daemon=True
        )
        self._thread.start()
        self._networks: Networks | None = None

    def prepare_networks(self) -> bool:
        """Make the networks of slots from now on; return whether that is possible."""
        try:
            self._networks = self.call(Networks)
        except OSError:
            return False
        return True

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    def call(self, function: Callable[[], Result]) -> Result:
        """Call ``function`` on the spawner's thread, and give what it gives."""
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as exc:  # noqa: BLE001 - it is the caller's
                future.set_exception(exc)

        self._calls.put(run)
        return future.result()

    def spawn(
        self,
        argv: Sequence[str],
        *,
        run_key: str,
        fds: Mapping[int, int],
        uid: int | None = None,
        group: Group | None = None,
        network_of: int | None = None,
    ) -> Child:
        """Start ``argv`` in a session of its own, with its mark as environment.

        ``fds`` says which descriptor of ours becomes which one of the child's; it
        gets no others but the leash. ``uid``: whose it is to be, in ``group``.
        ``network_of`` is the slot whose network it is to have, else it has the host's.
        """
        passed = dict(fds)
        if self.leash.fd is not None:
            passed[gate.LEASH] = self.leash.fd
        name, _, value = self.leash.mark(run_key).partition("=")
        door: int | None = None
        try:
            if group is not None and (door := group.door()) is not None:
                passed[stages.DOOR] = door = lifted(door)
                argv = stages.joining(argv)
            pid = self.call(
                lambda: self._spawn(
                    lambda: _spawn(argv, passed, {name: value}),
                    uid=uid,
                    group=group,
                    network_of=network_of,
                )
            )
            return _bound(pid, group)
        except (OSError, ValueError) as exc:
            raise errors.SandboxFailed(
                f"the sandbox could not be started: {exc}"
            ) from exc
        finally:
            if door is not None:
                os.close(door)

    def _spawn(
        self,
        spawn: Callable[[], int],
        *,
        uid: int | None,
        group: Group | None,
        network_of: int | None,
    ) -> int:
        def as_task() -> int:
            joined = nullcontext() if group is None else group.joined()
            with joined, rights.of_task(uid):
                return spawn()

        if network_of is None:
            return as_task()
        assert self._networks is not None
        return self._networks.within(network_of, as_task)

    def close(self) -> None:
        """End the thread: whatever it spawned with die-with-parent dies now."""
        self._calls.put(None)
        self._thread.join()
        if self._networks is not None:
            self._networks.close()


def _spawn(argv: Sequence[str], fds: Mapping[int, int], env: Mapping[str, str]) -> int:
    linux.close_on_exec_from(3)
    return spawning.spawn(argv, env=env, fds=fds)


def _bound(pid: int, group: Group | None) -> Child:
    """Hold on to a child, within all of its limits; what can't be held is ended."""
    try:
        if group is not None:
            group.bind()
        # Ours, and not reaped: the number is nobody else's.
        return Child(pid, os.pidfd_open(pid))
    except OSError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def lifted(fd: int) -> int:
    """Move a descriptor out of the way of the numbers children use."""
    if fd >= _CLEAR_OF:
        return fd
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _CLEAR_OF)
    os.close(fd)
    return high
