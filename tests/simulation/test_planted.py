"""The simulation finds what it is there to find: bugs that were planted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.planting import Bug, bugs
from tests.simulation.seeds import DEFAULT

_FOUND = re.compile(r"^seed (\d+): (\w+): ", re.MULTILINE)


def test_the_bugs_that_must_be_caught_are_kept() -> None:
    assert {bug.name for bug in bugs()} >= {
        "token_unchecked",
        "cursor_before_insert",
        "slot_released_twice",
        "renewed_by_run",
        "expired_by_own_clock",
    }


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    home = bug.plant(tmp_path)
    played = subprocess.run(
        [
            *(sys.executable, "-m", "crony.testing.simulation"),
            *("--seed", str(DEFAULT.start), "--count", str(len(DEFAULT))),
        ],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
    )
    found = _FOUND.search(played.stdout)
    assert found is not None, f"not caught: {played.stdout}{played.stderr}"
    assert found[2] in bug.kinds, played.stdout
