"""Workspaces on the host, for the levels that have no mounts of their own.

(With namespaces the workspace is a tmpfs inside the sandbox: it has a size, no
other run can name it, and it is gone with the last process.)
"""

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make(path: Path, files: Mapping[str, tuple[bytes, int]], uid: int | None) -> None:
    """Make an empty workspace that belongs to the task, with its files in it."""
    path.mkdir(mode=0o700, parents=True)
    for name, (content, mode) in files.items():
        target = path / name
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        with open(fd, "wb") as file:
            file.write(content)
            os.fchmod(fd, mode & 0o777)
            if uid is not None:
                os.fchown(fd, uid, uid)
    if uid is not None:
        os.chown(path, uid, uid)


def remove(path: Path) -> None:
    """Remove a workspace, whatever the task left in it.

    Works from the deepest directory up without recursion and without a path that
    grows, so that neither a deep tree nor a long name stops it; never follows a
    link; opens what the task made unreadable.
    """
    try:
        parent = os.open(path.parent, _FLAGS)
    except FileNotFoundError:
        return
    try:
        _remove_tree(parent, path.name)
    finally:
        os.close(parent)


def _remove_tree(parent: int, name: str) -> None:
    """Remove ``name`` in ``parent`` by moving what lies deep up to its top."""
    top = _enter(parent, name)
    if top is None:
        return
    try:
        counter = 0
        while entries := os.listdir(top):
            for entry in entries:
                counter = _flatten(top, entry, counter)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _flatten(top: int, entry: str, counter: int) -> int:
    """Remove one entry; a directory's own directories move to the top first."""
    inner = _enter(top, entry)
    if inner is None:
        return counter
    try:
        for name in os.listdir(inner):
            if stat.S_ISDIR(os.lstat(name, dir_fd=inner).st_mode):
                counter += 1
                _move(inner, name, top, f".crony-{counter}")
            else:
                os.unlink(name, dir_fd=inner)
    finally:
        os.close(inner)
    with suppress(FileNotFoundError):
        os.rmdir(entry, dir_fd=top)
    return counter


def _move(source: int, name: str, target: int, wanted: str) -> None:
    # A directory that is moved gets a new "..": it must be writable itself.
    os.chmod(name, 0o700, dir_fd=source)
    taken = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}
    while True:
        try:
            os.rename(name, wanted, src_dir_fd=source, dst_dir_fd=target)
            return
        except OSError as exc:
            if exc.errno not in taken:
                raise
            wanted += "+"  # the task has a name like ours


def _enter(parent: int, name: str) -> int | None:
    """Open a directory for removal; anything else is removed at once."""
    try:
        mode = os.lstat(name, dir_fd=parent).st_mode
        if not stat.S_ISDIR(mode):
            os.unlink(name, dir_fd=parent)
            return None
        if mode & 0o700 != 0o700:
            os.chmod(name, 0o700, dir_fd=parent)
        return os.open(name, _FLAGS, dir_fd=parent)
    except FileNotFoundError:
        return None
