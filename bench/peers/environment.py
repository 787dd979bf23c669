"""The environment that the peers are installed into, apart from ours."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".peers"

_WANTED = (
    "celery[redis]>=5.5",
    "apscheduler>=3.11,<4",
    "sqlalchemy>=2",
    "procrastinate>=3.5",
    "psycopg[binary]>=3.2",
)


def python() -> str:
    """Return its interpreter, after it was made if need be."""
    interpreter = FOLDER / "bin" / "python"
    ready = FOLDER / ".ready"
    wanted = "\n".join(_WANTED)
    if not ready.exists() or ready.read_text() != wanted:
        print(f"installing the peers into {FOLDER.name}", file=sys.stderr)
        venv.create(FOLDER, with_pip=True, clear=True)
        install = [str(interpreter), "-m", "pip", "install", "-q", *_WANTED]
        subprocess.run(install, check=True)
        ready.write_text(wanted)
    return str(interpreter)


def versions() -> dict[str, str]:
    """Return which releases are measured."""
    code = (
        "from importlib.metadata import version as v\n"
        "for n in ('celery', 'apscheduler', 'procrastinate'): print(n, v(n))"
    )
    said = subprocess.run(
        [python(), "-c", code], capture_output=True, text=True, check=True
    )
    return dict(line.split() for line in said.stdout.splitlines())
