"""The worker's side of the watchdog."""

import os
import socket
import subprocess
import sys
import threading

from crony import errors
from crony.worker.sandbox import watchdog
from crony.worker.sandbox.contract import Prepared
from crony.worker.sandbox.leash import Leash
from crony.worker.sandbox.spawner import lifted


class Watchdog:
    """Start the watchdog, and tell it what to kill when.

    ``lock_fd`` is a descriptor that holds an ``flock``: the watchdog keeps it after
    the worker's death until every sandbox is certainly dead, so whoever gets the
    lock next is alone. Instants are seconds of ``CLOCK_BOOTTIME``. Every method
    returns once its word counts, and may be called from any thread; each raises
    ``MissingSafeguard`` when the watchdog is gone: no run may start without it.

    ``leash`` goes into every process of the sandbox it is opened for: at the end
    the watchdog kills those too that it was never told about.
    """

    def __init__(self, *, lock_fd: int | None = None) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        left, held = os.pipe2(os.O_CLOEXEC)
        self._held = lifted(held)
        self.leash = Leash(fd=self._held)
        numbers = [theirs.fileno(), left]
        passed = [*numbers, *([] if lock_fd is None else [lock_fd])]
        with theirs, os.fdopen(left):
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", watchdog.__file__),
                    *(*map(str, numbers), self.leash.word),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env={},
                cwd="/",
                pass_fds=passed,
                start_new_session=True,
            )
        assert self._process.stdout is not None  # a pipe was asked for
        with self._process.stdout as ready:
            if ready.read(1) != b"r":
                self._process.wait()
                raise errors.MissingSafeguard("the watchdog did not start")
        self._pidfd = os.pidfd_open(self._process.pid)

    @property
    def pid(self) -> int:
        """The watchdog's process."""
        return self._process.pid

    def fileno(self) -> int:
        """Give a descriptor that is readable once the watchdog is gone."""
        return self._pidfd

    def watch(self, key: str, prepared: Prepared, *, kill_at: float) -> None:
        """Kill a run at ``kill_at``, and at once when the worker dies.

        Call it once the run is ready, and before it is let go: then all of its
        processes are known by their pidfds.
        """
        words = ("watch", key, repr(kill_at), *prepared.death_places())
        self._tell(words, fds=prepared.death_fds())

    def extend(self, key: str, *, kill_at: float) -> None:
        """Move the instant of a run, later or earlier."""
        self._tell(("extend", key, repr(kill_at)))

    def forget(self, key: str) -> None:
        """Let go of a run that has ended."""
        self._tell(("forget", key))

    def close(self) -> None:
        """End the watchdog; what it still watches is killed."""
        with self._lock:
            self._ours.close()
            os.close(self._held)
        self._process.wait()
        os.close(self._pidfd)

    def _tell(self, words: tuple[str, ...], *, fds: tuple[int, ...] = ()) -> None:
        message = "\0".join(words).encode(errors="surrogateescape")
        with self._lock:
            try:
                socket.send_fds(self._ours, [message], fds, socket.MSG_NOSIGNAL)
                answer = self._ours.recv(1)
            except OSError as exc:
                raise errors.MissingSafeguard("the watchdog is gone") from exc
        if not answer:
            raise errors.MissingSafeguard("the watchdog is gone")
