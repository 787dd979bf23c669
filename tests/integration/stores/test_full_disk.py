"""A full disk of the store is said to be so, loses nothing, and passes."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.stores import full_disk

_log = logging.getLogger(__name__)

#: PostgreSQL refuses to be root, and wants to know the name of who runs it.
_NOBODY = "65534"
_ALONE = (
    *("unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}"),
    *("--keep-caps", "--mount"),
)


@pytest.mark.parametrize("name", list(full_disk.SIZES))
def test_a_full_disk_of_the_server_is_unavailable_and_passes(
    name: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*_ALONE, sys.executable, "-m", full_disk.__name__, name, tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    log = seen.pop("log")
    _log.info("%s: %s", name, seen)
    assert seen["first"] == ["ready", 201]
    status, said = seen["full"]
    assert status == 503
    assert said != "ready"
    # One whose server ended with the disk does not answer at all.
    assert seen["died"] or "disk is full" in said or "can't write" in said
    assert seen["again"] == [201, "ready"]
    assert [seen[it] for it in ("bad", "lost", "made by nobody", "half")] == [[]] * 4
    assert "Traceback" not in log
    assert "the store takes no writes" in log
    assert "the store takes writes again" in log
