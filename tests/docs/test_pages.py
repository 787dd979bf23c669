"""The pages are current, complete, and build without a warning."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_pages_made_from_tables_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "docs/pages.py", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    """A broken link, a page in no list or a bad heading is a warning."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
    command += ["-b", "html", "-d", str(tmp_path / "doctrees")]
    done = subprocess.run(
        [*command, "docs", str(tmp_path / "html")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html" / "index.html").exists()


@pytest.mark.parametrize("name", ["README.rst", "CHANGELOG.rst", "CONTRIBUTING.rst"])
def test_page_at_the_top_is_sound(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docutils", "--strict", "--writer=null", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_each_link_of_the_readme_leads_somewhere() -> None:
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    targets = re.findall(r"<([^>\s]+)>`_", text)
    assert targets
    assert [t for t in targets if not (ROOT / t).exists() and "://" not in t] == []
