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
    assert bug.seed in DEFAULT
    home = bug.plant(tmp_path)
    said = _played(home, range(bug.seed, bug.seed + 1))
    if _FOUND.search(said) is None:
        # Histories have changed since; another one catches it.
        said = _played(home, DEFAULT)
    found = _FOUND.search(said)
    assert found is not None, f"not caught: {said}"
    assert found[2] in bug.kinds, said


def _played(home: Path, seeds: range) -> str:
    """Return what is told of some histories, up to the first that breaks a rule."""
    played = subprocess.run(
        [
            *(sys.executable, "-m", "crony.testing.simulation"),
            *("--seed", str(seeds.start), "--count", str(len(seeds))),
        ],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    return played.stdout + played.stderr
