"""The file with the admin's secret, which the first start writes."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crony import errors

_SECRET = re.compile(r"crony_[A-Za-z0-9_-]{43}", re.ASCII)
_LONGEST = 4096


class AdminFile:
    """The file while nobody else on this host reads or writes it."""

    def __init__(self, path: Path, *, folder: int) -> None:
        self._path = path
        self._folder = folder

    def read(self) -> str | None:
        """Return the secret, or ``None`` where there is no file yet."""
        try:
            stream = self._path.open(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return None
        with stream:
            if os.fstat(stream.fileno()).st_mode & 0o077:
                raise errors.MissingSafeguard(
                    f"{self._path} can be read by others; chmod 0600 it, and change "
                    f"the key if somebody may have seen it"
                )
            secret = stream.read(_LONGEST).strip()
        if _SECRET.fullmatch(secret) is None:
            raise errors.InvalidSetting(
                str(self._path),
                "admin key",
                "holds no key; remove the file, and get it anew: "
                "crony-api --new-admin-key",
            )
        return secret

    def prepare(self, secret: str) -> None:
        """Write a secret beside the file, for ``keep`` to put in its place whole.

        So whoever is killed leaves no half of one, and none that opens nothing.
        """
        # One that was killed may have left it, with whatever mode.
        self._new.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        file = os.open(self._new, flags, 0o600)
        with open(file, "w", encoding="ascii") as stream:
            stream.write(secret + "\n")
            stream.flush()
            os.fsync(file)
        os.fsync(self._folder)

    def prepared(self) -> str | None:
        """Return the secret that somebody who was killed had prepared."""
        try:
            secret = self._new.read_text("ascii", "replace").strip()
        except FileNotFoundError:
            return None
        return secret if _SECRET.fullmatch(secret) else None

    def keep(self) -> None:
        """Replace the secret by the prepared one."""
        self._new.replace(self._path)
        os.fsync(self._folder)

    def drop(self) -> None:
        """Forget the prepared secret."""
        self._new.unlink(missing_ok=True)

    @property
    def _new(self) -> Path:
        return self._path.with_name(self._path.name + ".new")


@contextmanager
def locked(path: Path) -> Iterator[AdminFile]:
    """Open the file for one process at a time; its folder is what is locked."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield AdminFile(path, folder=folder)
    finally:
        os.close(folder)
