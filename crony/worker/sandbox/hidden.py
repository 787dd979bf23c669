"""Make what lies below a private directory reachable for task uids.

An interpreter in root's home, or this package's own wheel there, can't be reached
by the uid of a task, and binding it by descriptor fails too. The spawner's thread
therefore has a mount namespace of its own, in which each such private directory
is covered by an empty one that holds exactly the needed parts, read-only, at
their own paths. Nobody else sees that, and it ends with the thread.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from crony import errors
from crony.worker.sandbox import linux


def uncover(read_only: Sequence[str], writable: Sequence[str]) -> None:
    """Do it for the calling thread, which must be the spawner's."""
    needed = {os.path.realpath(path): True for path in read_only}
    needed |= {os.path.realpath(path): False for path in writable}
    covers: dict[str, list[str]] = {}
    for path in needed:
        if os.path.exists(path) and (cover := _private_ancestor(path)) is not None:
            covers.setdefault(cover, []).append(path)
    try:
        linux.unshare_mounts()
        linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
        for cover, paths in covers.items():
            _cover(cover, {path: needed[path] for path in sorted(paths)})
    except OSError as exc:
        raise errors.MissingSafeguard(
            f"this worker may not mount ({exc.strerror}): "
            f"run it with CAP_SYS_ADMIN, as a plain user, or move "
            f"{', '.join(covers) or 'nothing'} to where every user can read it"
        ) from exc


def _private_ancestor(path: str) -> str | None:
    """Find the highest directory above ``path`` that others can't pass."""
    for parent in reversed(Path(path).parents):
        if not os.stat(parent).st_mode & 0o001:
            return str(parent)
    return None


def _cover(cover: str, needed: dict[str, bool]) -> None:
    fds = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in needed}
    try:
        linux.mount(
            "crony",
            cover,
            "tmpfs",
            linux.MS_NOSUID | linux.MS_NODEV,
            "mode=755,size=1m",
        )
        for path, read_only in needed.items():
            _bind(fds[path], path, read_only=read_only)
    finally:
        for fd in fds.values():
            os.close(fd)


def _bind(fd: int, path: str, *, read_only: bool) -> None:
    source = f"/proc/thread-self/fd/{fd}"
    if os.path.isdir(source):
        os.makedirs(path, mode=0o755, exist_ok=True)
    elif not os.path.exists(path):
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))
    linux.mount(source, path, None, linux.MS_BIND | linux.MS_REC)
    if read_only:
        flags = linux.MS_BIND | linux.MS_REMOUNT | linux.MS_RDONLY
        linux.mount("none", path, None, flags | linux.MS_NOSUID)
