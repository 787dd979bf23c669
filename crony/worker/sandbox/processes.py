"""Look at processes, and signal the right ones."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

from crony.worker.sandbox.watchdog import stat_of

_MILLISECOND = timedelta(milliseconds=1)


def parent_of(pid: int) -> int | None:
    """Give the parent of a process; ``None`` when there is no such process."""
    fields = stat_of(pid)
    return int(fields[1]) if fields else None


def every() -> Iterator[int]:
    """Go through all processes this one can see."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def children(pid: int) -> list[int]:
    """List the children of a process."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except ProcessLookupError:
        return []
    except FileNotFoundError:
        if not os.path.exists(f"/proc/{pid}"):
            return []
        return [other for other in every() if parent_of(other) == pid]


def descendants(pid: int) -> list[int]:
    """List the processes below one, as they are now."""
    found: list[int] = []
    ahead = children(pid)
    while ahead:
        one = ahead.pop()
        found.append(one)
        # Any thread may be the parent of a process.
        ahead += [child for task in _threads(one) for child in _of_thread(one, task)]
    return found


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _of_thread(pid: int, thread: str) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def of_uid(uid: int) -> list[int]:
    """List the live processes of a uid."""
    found = []
    for pid in every():
        with suppress(FileNotFoundError, ProcessLookupError):
            if os.stat(f"/proc/{pid}").st_uid == uid and stat_of(pid)[:1] != ["Z"]:
                found.append(pid)
    return found


def open_child(pid: int, *, parent: int) -> int | None:
    """Open a pidfd of a process, making sure that it is ``parent``'s child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # The number can't have been another's before we looked: whoever has it now
    # is what the pidfd names, or that one is gone.
    if parent_of(pid) != parent:
        os.close(fd)
        return None
    return fd


def send(pidfd: int, number: signal.Signals) -> None:
    """Signal a process; nothing happens when it is gone."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)


def send_child(pid: int, number: signal.Signals, *, parent: int) -> None:
    """Signal a process if it is the child of ``parent``."""
    fd = open_child(pid, parent=parent)
    if fd is not None:
        try:
            send(fd, number)
        finally:
            os.close(fd)


def gone(pidfd: int, *, within: timedelta | None) -> bool:
    """Wait for the end of a process; false when it did not come in time."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(None if within is None else within / _MILLISECOND))


def kill(pid: int) -> None:
    """Send SIGKILL by number: only to what was just seen to belong to the run."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
