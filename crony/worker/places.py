"""Where a worker keeps its things, and the locks that keep two apart.

``worker.lock`` is the process's own: it says that a worker of this name runs.
``sandboxes.lock`` is shared with the watchdog, which outlives a killed worker until
every one of its sandboxes is dead: whoever has it knows that nothing old runs.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from pathlib import Path

from crony import errors, log

_log = log.get(__name__)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


def directory(home: Path, name: str) -> Path:
    """Return the directory of the worker of that name."""
    if not _NAME.fullmatch(name):
        raise errors.InvalidSetting(
            "worker",
            "name",
            f'"{name[:80]}" must begin with a letter or digit and hold only '
            "a-z, 0-9, dot, underscore and hyphen",
        )
    return home / "worker" / name


def make(home: Path, name: str) -> Path:
    """Make that directory, for its owner alone."""
    path = directory(home, name)
    for one in (path.parent, path):
        one.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def credentials(home: Path, name: str) -> Path:
    """Return the file of its credentials."""
    return directory(home, name) / "credentials.json"


def next_start(path: Path) -> int:
    """Return a number above those of all earlier starts of this worker.

    By it the service knows a late request of a process that has died. It is kept on
    disk before it is used; where that was lost, the clock is above it.
    """
    name = path / "starts"
    last = name.read_text("ascii").strip() if name.exists() else ""
    number = max(time.time_ns() // 1_000_000, int(last) + 1 if last.isdigit() else 0)
    write(name, f"{number}\n")
    return number


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all, for its owner alone."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    new.rename(path)


def lock_worker(path: Path) -> int:
    """Take the worker's own lock; return its descriptor."""
    fd = os.open(path / "worker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(fd)
        raise errors.InUse(
            f'the worker "{path.name}" runs already on this machine; stop it, or give '
            "this one another --name"
        ) from exc
    return fd


def lock_sandboxes(path: Path) -> int:
    """Wait until every sandbox of an earlier worker is dead; return the lock."""
    name = path / "sandboxes.lock"
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _log.info("waiting until the tasks of the last worker are dead")
        fcntl.flock(fd, fcntl.LOCK_EX)
    return fd
