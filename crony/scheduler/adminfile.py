"""The file with the admin's secret, which the first start writes."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from crony import clock, errors

_SECRET = re.compile(r"crony_[A-Za-z0-9_-]{43}", re.ASCII)
_LONGEST = 4096


def ensure(path: Path, *, make: Callable[[], str]) -> tuple[str, datetime]:
    """Return the secret in the file, written now if need be, and since when.

    The folder is locked meanwhile. The secret is written beside the file and put
    in its place whole, so that whoever is killed leaves no half of one.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not path.exists():
            _write(path, make(), folder=folder)
        return _read(path)
    finally:
        os.close(folder)


def _write(path: Path, secret: str, *, folder: int) -> None:
    new = path.with_name(path.name + ".new")
    # One that was killed may have left it, with whatever mode.
    new.unlink(missing_ok=True)
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(file, "w", encoding="ascii") as stream:
        stream.write(secret + "\n")
        stream.flush()
        os.fsync(file)
    new.replace(path)
    os.fsync(folder)


def _read(path: Path) -> tuple[str, datetime]:
    with path.open(encoding="ascii", errors="replace") as stream:
        about = os.fstat(stream.fileno())
        if about.st_mode & 0o077:
            raise errors.MissingSafeguard(
                f"{path} can be read by others; chmod 0600 it, and change the key if "
                f"somebody may have seen it"
            )
        secret = stream.read(_LONGEST).strip()
    if _SECRET.fullmatch(secret) is None:
        raise errors.InvalidSetting(
            str(path), "admin key", "holds no key; remove the file to get a new one"
        )
    milliseconds = about.st_mtime_ns // 1_000_000
    return secret, clock.EPOCH + timedelta(milliseconds=milliseconds)
