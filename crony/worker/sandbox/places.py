"""Paths of the host that a run asks for, held from the check to the last look.

SECURITY: a path names whatever is there now, and another task that may write there
can exchange a directory for a link between the check and the bind. So what was
checked is held open, and a run is let through its gate only when its sandbox shows
exactly that.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crony import errors

_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
#: What a mount forbids is forbidden by whatever is bound from it.
_FORBIDS = os.ST_RDONLY | os.ST_NOEXEC


@dataclass(frozen=True, slots=True)
class Place:
    """One path, and what it was when it was checked."""

    #: Where it is shown: as it was asked for.
    path: str
    #: The same on the host, without links.
    source: str
    fd: int
    writable: bool


class Places:
    """The checked paths of one run; whoever has them closes them."""

    def __init__(self, places: Sequence[Place] = ()) -> None:
        self._places = tuple(places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places)

    def verify(self, pid: int) -> None:
        """Raise ``SandboxFailed`` unless ``pid`` sees what was checked."""
        if not self._places:
            return
        for place in self._places:
            try:
                same = _same(place, root=f"/proc/{pid}/root")
            except PermissionError as exc:
                raise errors.SandboxFailed(
                    f"can't see what the sandbox shows at {place.path!r}: "
                    "a worker that is root needs CAP_SYS_PTRACE for that"
                ) from exc
            except OSError as exc:
                raise errors.SandboxFailed(f"{place.path!r}: {exc.strerror}") from exc
            if not same:
                raise errors.SandboxFailed(
                    f"{place.path!r} was exchanged after it was checked"
                )

    def close(self) -> None:
        """Let go of them."""
        for place in self._places:
            os.close(place.fd)
        self._places = ()


def walk(path: str, *, root: str = "/") -> int:
    """Open what is at ``path`` below ``root`` without following any link."""
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in filter(None, path.split("/")):
        try:
            inner = _step(fd, name)
        finally:
            os.close(fd)
        fd = inner
    return fd


def _step(folder: int, name: str) -> int:
    try:
        # As a directory, for that is what makes an automounter mount it.
        return os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=folder)
    except NotADirectoryError:
        fd = os.open(name, _FLAGS, dir_fd=folder)
    if stat.S_ISLNK(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ELOOP, "there is a symbolic link in it")
    return fd


def _same(place: Place, *, root: str) -> bool:
    shown = walk(place.path, root=root)
    try:
        # While it is held, no other file can get its number.
        held, found = os.fstat(place.fd), os.fstat(shown)
        lost = os.fstatvfs(place.fd).f_flag & ~os.fstatvfs(shown).f_flag
    finally:
        os.close(shown)
    same = (held.st_dev, held.st_ino) == (found.st_dev, found.st_ino)
    return same and not lost & _FORBIDS
