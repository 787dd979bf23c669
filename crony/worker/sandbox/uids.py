"""The uids of tasks, for a worker that is root.

Each slot has one of its own, so that two runs can't touch each other even where
no namespace stands between them.
"""

import os
import pwd
import socket
from functools import cache
from pathlib import Path

from crony import errors

_BLOCK = 1000
_FIRST = 900_000
#: The largest uid that is not a special one.
_LAST = 2**31 - 1


def task_uids(configured: range | None) -> range | None:
    """Give the range of task uids; ``None`` when this worker is not root."""
    if os.geteuid() != 0:
        return None
    if configured is None:
        return _free_block()
    if len(configured) == 0 or configured.start <= 0 or configured.step != 1:
        raise errors.MissingSafeguard(
            "the task uids must be a range of uids above 0: tasks never run as root"
        )
    named = [user for user in pwd.getpwall() if user.pw_uid in configured]
    if named:
        # It could signal what starts them, and they what is its own.
        raise errors.MissingSafeguard(
            f"the task uids hold {named[0].pw_uid}, which is the user "
            f"{named[0].pw_name}: set task_uids to uids that nobody has"
        )
    return configured


def uid_of(uids: range | None, slot: int) -> int | None:
    """Give the uid of a slot; ``None`` when tasks have the worker's own."""
    if uids is None:
        return None
    if not 0 <= slot < len(uids):
        raise errors.SandboxFailed(
            f"slot {slot} has no task uid: the range has {len(uids)}"
        )
    return uids[slot]


@cache
def _free_block() -> range:
    """Find a block that nobody names, and hold it as long as this process lives.

    Two workers on one host must not share uids. The name of an abstract socket is
    a lock that needs no file and is gone with its owner.
    """
    taken = sorted([(u.pw_uid, u.pw_uid + 1) for u in pwd.getpwall()] + _subordinate())
    start = _FIRST
    while start + _BLOCK <= _LAST:
        clash = [
            after for first, after in taken if first < start + _BLOCK and after > start
        ]
        if clash:
            start = max(clash)
        elif _hold(start):
            return range(start, start + _BLOCK)
        else:
            start += _BLOCK
    raise errors.MissingSafeguard("no free range of task uids: set task_uids")


def _hold(start: int) -> bool:
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f"\0crony-task-uids-{start}")
    except OSError:
        lock.close()
        return False
    lock.detach()  # open until this process ends
    return True


def _subordinate() -> list[tuple[int, int]]:
    try:
        lines = Path("/etc/subuid").read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        parts = line.split(":")
        if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
            first = int(parts[1])
            found.append((first, first + int(parts[2])))
    return found
