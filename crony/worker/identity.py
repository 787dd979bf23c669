"""Who this host is, and the labels that say what it is like."""

import hashlib
import platform
import uuid
from pathlib import Path

_PLACES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def machine() -> str:
    """Return the SHA-256 of the host's machine id, in hex.

    The id itself is to be kept private, says machine-id(5). A host that has none
    goes by its name and network address.
    """
    for path in _PLACES:
        try:
            found = path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if found and found != "uninitialized":
            return hashlib.sha256(found.encode()).hexdigest()
    fallback = f"{platform.node()}/{uuid.getnode():012x}"
    return hashlib.sha256(fallback.encode()).hexdigest()


def own_labels(sandbox_level: str) -> dict[str, str]:
    """Return the labels that every worker has."""
    return {
        "os": platform.system().lower(),
        "arch": platform.machine(),
        "sandbox": sandbox_level,
    }
