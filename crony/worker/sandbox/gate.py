"""The gate: what stands between a prepared sandbox and its task.

A shell, because every host has one and it starts in half a millisecond. It runs
*inside* the sandbox, says that it is there, and reads the go byte with a check:
end-of-file, which is what the death of the worker looks like, makes it exit.
bwrap's own ``--block-fd`` takes end-of-file for go. What it becomes then is in its
order.

In a pid namespace it is the child of ``first``, which waits for the task, so that the
environment and the filter of pid 1 are those of the task too, and reports its end.
"""

import os
import resource
import select
import signal
import struct
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from crony import errors
from crony.worker.sandbox import linux
from crony.worker.sandbox.order import GO, READ

GATE = 3
STATUS = 4
PROGRESS = 5
#: Held by everything before the task, for the watchdog; shells know one digit.
LEASH = 9

_OPEN_FILES = 4096

_READY = b"r\n"
_GO = b"\n"
_STATUS = struct.Struct("=i")

#: argv[0] of the shell; seen in the messages about a command that is not there.
NAME = "crony"

_STAND = f"""
echo r >&4
IFS= read -r {GO} <&3 || exit 125
"""
_BECOME = """
[ $# -gt 0 ] || exit 125
exec "$@" 3<&- 4>&- 9>&-
"""


class Kind(Enum):
    """When a gate reads its order, and who stands there."""

    #: It knows its task from the start: nothing is left to be read at the instant.
    KNOWN = f"\n{READ}{_STAND}{_BECOME}"
    #: It is told its task before it is let go.
    SPARE = f"{_STAND}{READ}{_BECOME}"
    #: It becomes a program that stands there itself, as ``call`` of the tasks does.
    PROGRAM = f'\n{READ}\nexec "$@"\n'


def bounds(*, disk: int, memory: int | None = None, pids: int | None = None) -> str:
    """Give the shell's commands that set resource limits; ``None`` sets none.

    The shell does it because it is inside, where processes count per namespace,
    and because root in a container often may not do it to others.
    """
    wanted = [
        ("-c", 0, resource.RLIMIT_CORE, 512),
        ("-f", disk, resource.RLIMIT_FSIZE, 512),
        ("-n", _OPEN_FILES, resource.RLIMIT_NOFILE, 1),
    ]
    if memory is not None:
        wanted.append(("-d", memory, resource.RLIMIT_DATA, 1024))
    made = [
        f"ulimit {option} {_within_hard(kind, value) // unit} || exit 124"
        for option, value, kind, unit in wanted
    ]
    if pids is not None:
        most = _within_hard(resource.RLIMIT_NPROC, pids)
        # Shells disagree about the letter.
        made.append(f"ulimit -u {most} 2>/dev/null || ulimit -p {most} || exit 124")
    return "\n".join(made) + "\n"


def _within_hard(kind: int, value: int) -> int:
    _, hard = resource.getrlimit(kind)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the task ended."""

    exit_code: int | None
    signal: str | None


def signal_name(number: int) -> str:
    """Give ``SIGKILL`` for 9; real-time signals have names of their own."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def go(fd: int) -> None:
    """Open the gate."""
    try:
        linux.write(fd, _GO)
    except OSError as exc:
        raise errors.SandboxFailed("the prepared process is gone") from exc


def wait_ready(status: int, *, timeout: timedelta) -> bool:
    """Wait for the ready byte; false when the gate ended without one."""
    poll = select.poll()
    poll.register(status, select.POLLIN)
    if not poll.poll(timeout / timedelta(milliseconds=1)):
        raise errors.SandboxFailed(f"the sandbox was not ready within {timeout}")
    return os.read(status, len(_READY)) == _READY


def ending_of(status: int) -> Ending:
    """Read a wait status, of which an exit code and a signal can be told."""
    if os.WIFSIGNALED(status):
        return Ending(None, signal_name(os.WTERMSIG(status)))
    return Ending(os.WEXITSTATUS(status), None)


def read_ending(status: int) -> Ending | None:
    """Read what the first process wrote last; ``None`` when it was killed before."""
    said = b""
    while chunk := _read(status):
        said = (said + chunk)[-_STATUS.size :]
    return ending_of(*_STATUS.unpack(said)) if len(said) == _STATUS.size else None


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except BlockingIOError:
        return b""
