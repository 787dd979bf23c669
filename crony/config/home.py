"""The one directory that holds what a user's Crony keeps: store, keys, outbox."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from crony import errors

#: The file in it with the secret of the service's first key.
ADMIN_KEY = "admin.key"


def home(environ: Mapping[str, str]) -> Path:
    """Say where it is, whether it exists or not.

    ``$CRONY_HOME``, else ``crony`` under ``$XDG_DATA_HOME``, else
    ``~/.local/share/crony``.
    """
    chosen = environ.get("CRONY_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    data = environ.get("XDG_DATA_HOME", "")
    # The XDG specification asks to ignore a relative path.
    if data.startswith("/"):
        return Path(data) / "crony"
    user = environ.get("HOME")
    base = Path(user) if user else Path("~").expanduser()
    return base / ".local" / "share" / "crony"


def ensure_home(environ: Mapping[str, str]) -> Path:
    """Create it for its owner alone, and refuse one that others may enter."""
    path = home(environ)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.stat()
    except OSError as exc:
        detail = f"{path} can't be made a directory: {exc.strerror}"
        raise errors.InvalidSetting("environment", "CRONY_HOME", detail) from exc
    if found.st_uid != os.geteuid():
        raise errors.MissingSafeguard(
            f"{path} belongs to another user (uid {found.st_uid}); "
            "set CRONY_HOME to a directory of your own"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise errors.MissingSafeguard(
            f"{path} holds keys, and others may enter it; run: chmod 700 {path}"
        )
    return path
