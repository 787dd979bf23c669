"""Folders below the worker's state that belong to one open sandbox.

More than one may be open at a time (a registration beside a running worker), so
each has its own; those of processes that died are removed by the next.
"""

import os
import secrets
from pathlib import Path

from crony.worker.sandbox import workspace


def make(state_dir: Path, kind: str, *, mode: int) -> Path:
    """Make a folder of this process's own, and remove those of dead ones."""
    for other in state_dir.glob(f"{kind}-*-*"):
        owner = other.name.split("-")[1]
        if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            workspace.remove(other)
    made = state_dir / f"{kind}-{os.getpid()}-{secrets.token_hex(4)}"
    made.mkdir(mode=mode)
    made.chmod(mode)
    return made
