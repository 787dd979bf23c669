"""A service whose disk is full says that it is not ready."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration import full_disk

_ALONE = ("unshare", "--user", "--map-root-user", "--mount")


def test_a_service_on_a_full_disk_is_not_ready_until_there_is_room(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [*_ALONE, sys.executable, "-m", full_disk.__name__, tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    full = "the store's disk is full"
    told = ["ready", full, full, "ready", "created"]
    assert done.stdout.splitlines() == told, done.stderr
