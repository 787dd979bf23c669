"""How long do commands take as whole processes?

In turns with them: an interpreter that does nothing, which is what is left when all
else is free.

    make bench ROW=cli
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring.report import Report, Target, arguments
from crony.config import ADMIN_KEY
from crony.testing.service import running_service

_CRONY = str(Path(sys.executable).parent / "crony")
_COMMANDS = {
    "limit: python3 -c pass": [sys.executable, "-c", "pass"],
    "crony --help": [_CRONY, "--help"],
    "crony ls": [_CRONY, "ls"],
}
WANTED = {"crony --help": 60, "crony ls": 150}


def took(argv: Sequence[str], environ: Mapping[str, str]) -> float:
    """Return how long a command takes from its start to its end, in milliseconds."""
    began = time.perf_counter()
    subprocess.run(argv, env=environ, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=21)
    wanted = parser.parse_args()
    report = Report("cli", "Commands as whole processes", command)
    rows = {title: report.add(title, "ms") for title in _COMMANDS}
    with (
        tempfile.TemporaryDirectory() as place,
        running_service(Path(place) / "home", log_level="warning") as service,
    ):
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": place,
            "CRONY_API_URL": service.url,
            "CRONY_KEY_FILE": str(service.home / ADMIN_KEY),
        }
        for argv in _COMMANDS.values():
            took(argv, environ)
        for _ in range(wanted.repetitions):
            for title, argv in _COMMANDS.items():
                rows[title].samples.append(took(argv, environ))
    report.targets += [
        Target(title, rows[title].median, bound, unit="ms")
        for title, bound in WANTED.items()
    ]
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
