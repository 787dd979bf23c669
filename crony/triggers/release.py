"""Which release of the tz database is in use, told by what its files hold.

A version number would not do: ``zoneinfo`` prefers the host's files to those of the
package ``tzdata``, a host may mix both, and distributions mend zones without a new
number. Two processes that read the same files get the same answer.
"""

from __future__ import annotations

import hashlib
import zoneinfo
from functools import lru_cache
from importlib import resources
from pathlib import Path

from crony.triggers.zone import HOST_DEPENDENT


@lru_cache(maxsize=1)
def zone_release() -> str:
    """Return a digest of all zones, as they were when this was first asked for."""
    digest = hashlib.sha256()
    for name in sorted(zoneinfo.available_timezones() - HOST_DEPENDENT):
        digest.update(f"{name}\n".encode())
        digest.update(hashlib.sha256(_data(name)).digest())
    return digest.hexdigest()


def _data(name: str) -> bytes:
    """Return a zone's file, from where ``zoneinfo`` takes it."""
    for folder in zoneinfo.TZPATH:
        path = Path(folder, name)
        if path.is_file():
            return path.read_bytes()
    try:
        return (resources.files("tzdata") / "zoneinfo" / name).read_bytes()
    except OSError:
        return b""
