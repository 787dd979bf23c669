"""Bugs that are kept as patches, and a copy of the package that has one of them."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import crony

PATCHES = Path(__file__).parent / "planted"

_PACKAGE = Path(crony.__file__).parent
_CAUGHT = re.compile(r"^Caught as: (.+)$", re.MULTILINE)
_SEED = re.compile(r"^Last caught by seed: (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Bug:
    """A patch; ``kinds`` are the guarantees by which it may be caught."""

    name: str
    text: str

    @property
    def kinds(self) -> frozenset[str]:
        found = _CAUGHT.search(self.text)
        assert found is not None, f"{self.name} does not say what it is caught as"
        return frozenset(found[1].split(", "))

    @property
    def seed(self) -> int:
        """The history that is played first: it caught the bug last."""
        found = _SEED.search(self.text)
        assert found is not None, f"{self.name} does not say which seed caught it"
        return int(found[1])

    def plant(self, folder: Path) -> Path:
        """Copy the package into a folder and put the bug into it."""
        # With the times of the files, so that what was compiled counts.
        shutil.copytree(_PACKAGE, folder / "crony")
        for path, hunks in _files(self.text).items():
            file = folder / path
            text = file.read_text()
            for before, after in hunks:
                assert text.count(before) == 1, (
                    f"{self.name} does not apply to {path}: mend the patch"
                )
                text = text.replace(before, after)
            file.write_text(text)
        return folder


def bugs() -> list[Bug]:
    """Return all that are kept."""
    return [Bug(each.stem, each.read_text()) for each in sorted(PATCHES.iterdir())]


def _files(patch: str) -> dict[str, list[tuple[str, str]]]:
    """Return what each hunk of a unified diff replaces, by the path of the file.

    Line numbers do not count, since lines move: the text must be there once.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    path = ""
    before: list[str] = []
    after: list[str] = []

    def close() -> None:
        if before or after:
            found[path].append(("".join(before), "".join(after)))
        before.clear()
        after.clear()

    for line in patch.splitlines(keepends=True):
        if line.startswith("--- "):
            close()
        elif line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/").strip()
            found[path] = []
        elif line.startswith("@@"):
            close()
        elif path and line[0] in " -+":
            if line[0] in " -":
                before.append(line[1:])
            if line[0] in " +":
                after.append(line[1:])
    close()
    assert found, "there is nothing in the patch"
    return found
