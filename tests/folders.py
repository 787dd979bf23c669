"""A pytest plugin: folders in memory for what servers and services store.

Most tests wait for nothing as long as for the disk; a process that is killed loses no
more of a file in memory than of one on a disk. Where the machine has none of that
memory to spare, they are on the disk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")
#: The servers of one process of the tests take a quarter of it.
_SPARE = 4 << 30
_PREFIX = "crony-tests-"

Folders = Callable[[str], Path]


@pytest.fixture(scope="session")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folders]:
    """Make new folders of that name, which go with the session."""
    if not _has_room():
        yield tmp_path_factory.mktemp
        return
    _sweep()
    top = _MEMORY / f"{_PREFIX}{os.getpid()}"
    top.mkdir(mode=0o700)
    numbers = count()

    def folder(name: str) -> Path:
        path = top / f"{name}-{next(numbers)}"
        path.mkdir(mode=0o700)
        return path

    yield folder
    shutil.rmtree(top, ignore_errors=True)


def _has_room() -> bool:
    return _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _SPARE


def _sweep() -> None:
    """Remove what sessions left that were killed."""
    for each in _MEMORY.glob(f"{_PREFIX}*"):
        if not Path("/proc", each.name.removeprefix(_PREFIX)).exists():
            shutil.rmtree(each, ignore_errors=True)
