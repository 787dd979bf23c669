"""The one thread that starts every sandbox of a worker.

``--die-with-parent`` follows the *thread* that spawned, not the process: were a
thread of a pool to spawn, the task would die with that thread. So all spawning
is done here, by a thread that lives as long as the sandbox object. It may also
have a mount namespace of its own, which its children inherit and nobody else of
the worker sees.
"""

import fcntl
import os
import queue
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

from crony import errors
from crony.worker.sandbox import gate, linux
from crony.worker.sandbox.leash import Leash
from crony.worker.sandbox.networks import Networks

Result = TypeVar("Result")

#: Descriptors that are passed on are moved up here first, so that giving one its
#: number in the child can't overwrite another that is still to be moved.
_CLEAR_OF = 200

#: Python ignores some of these, and what is ignored stays ignored over exec.
_DEFAULT_SIGNALS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGCHLD,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


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
        network_of: int | None = None,
    ) -> int:
        """Start ``argv`` in a session of its own, with its mark as environment.

        ``fds`` says which descriptor of ours becomes which one of the child's; it
        gets no others but the leash. ``network_of`` is the slot whose network it is to
        have, else it has the host's. Returns the pid.
        """
        held = {} if self.leash.fd is None else {gate.LEASH: self.leash.fd}
        name, _, value = self.leash.mark(run_key).partition("=")
        try:
            return self.call(
                lambda: self._spawn(
                    argv, {**fds, **held}, {name: value}, network_of=network_of
                )
            )
        except (OSError, ValueError) as exc:
            raise errors.SandboxFailed(
                f"the sandbox could not be started: {exc}"
            ) from exc

    def _spawn(
        self,
        argv: Sequence[str],
        fds: Mapping[int, int],
        env: Mapping[str, str],
        *,
        network_of: int | None,
    ) -> int:
        if network_of is None:
            return _spawn(argv, fds, env)
        assert self._networks is not None
        return self._networks.within(network_of, lambda: _spawn(argv, fds, env))

    def close(self) -> None:
        """End the thread: whatever it spawned with die-with-parent dies now."""
        self._calls.put(None)
        self._thread.join()
        if self._networks is not None:
            self._networks.close()


def _spawn(argv: Sequence[str], fds: Mapping[int, int], env: Mapping[str, str]) -> int:
    linux.close_on_exec_from(3)
    moves = [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in fds.items()]
    return os.posix_spawn(
        argv[0],
        list(argv),
        env,
        file_actions=moves,
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULT_SIGNALS,
    )


def lifted(fd: int) -> int:
    """Move a descriptor out of the way of the numbers children use."""
    if fd >= _CLEAR_OF:
        return fd
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _CLEAR_OF)
    os.close(fd)
    return high
