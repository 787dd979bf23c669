"""What the page for authors of drivers shows proves a driver."""

import os
import sys
from pathlib import Path

import pytest

from crony.testing import storage
from crony.testing.storage import suite
from tests.docs.follow import follow
from tests.docs.walkthrough import Step, steps

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "write-a-driver.md"
BIN = Path(sys.executable).parent


def environ(folder: Path) -> dict[str, str]:
    """Return what the page's commands run under: with temporary files of their own."""
    return {"PATH": os.environ["PATH"], "PYTEST_DEBUG_TEMPROOT": str(folder)}


# The whole suite, and histories beside it, on a machine that does other things too.
@pytest.mark.timeout(400)
def test_the_page_proves_the_driver_that_it_shows(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(BIN)
    page = steps(PAGE.read_text(encoding="utf-8"), on="shelf")
    follow(page, tmp_path, environ(tmp_path), within=360)


def test_a_driver_that_forgets_is_found_out(tmp_path: Path) -> None:
    """Or the page would prove nothing."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(BIN)
    page = PAGE.read_text(encoding="utf-8").replace(
        "        return cls()\n",
        "        store = cls()\n        store.keys.insert = lambda key: True\n"
        "        return store\n",
    )
    shown = steps(page, on="shelf")
    files = [step for step in shown if step.command.startswith("cat ")]
    tests = Step(".venv/bin/pytest -q -p no:cacheprovider test_shelf.py -k keys", "")
    with pytest.raises(AssertionError, match="TestKeys"):
        follow([*files, tests], tmp_path, environ(tmp_path))


def test_the_suite_has_the_tests_of_every_module() -> None:
    folder = Path(storage.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    wanted = sum(text.count("\nclass Test") for text in texts)
    found = [name for name in vars(suite) if name.startswith("Test")]
    assert len(found) == wanted
    # It gathers classes: a test outside of one would be left out.
    assert not any("\ndef test_" in text for text in texts)
