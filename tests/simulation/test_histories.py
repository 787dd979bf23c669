"""Histories of the whole service, with everything going wrong that may."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing.simulation import History, Violation, play
from tests.simulation.seeds import FIRST, pieces

#: Synchronous writes would take most of the time, and say nothing here.
_SHARED_MEMORY = Path("/dev/shm")


def _played(store: Store, seed: int) -> History:
    try:
        return play(seed, store=store)
    except Violation as exc:
        pytest.fail(
            f"seed {seed}: {exc}\nreplay it: "
            f"python -m crony.testing.simulation --seed {seed}"
        )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", pieces(), ids=lambda s: f"{s.start}-{s.stop - 1}")
def test_the_guarantees_hold_in_every_history(seeds: range) -> None:
    executions = 0
    for seed in seeds:
        store = open_store("memory://")
        store.migrate()
        store.open()
        executions += _played(store, seed).executions
    assert executions > len(seeds)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file: a migration for each history would take long."""
    path = tmp_path_factory.mktemp("template") / "crony.db"
    open_store(f"sqlite:///{path}").migrate()
    return path


@pytest.fixture
def file(template: Path, tmp_path: Path) -> Iterator[Path]:
    fast = _SHARED_MEMORY.is_dir()
    path = _SHARED_MEMORY / f"crony-{os.getpid()}.db" if fast else tmp_path / "crony.db"
    shutil.copy(template, path)
    yield path
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 8))
def test_the_guarantees_hold_on_a_file(seed: int, file: Path) -> None:
    store = open_store(f"sqlite:///{file}")
    store.open()
    try:
        assert _played(store, seed).verbs > 100
    finally:
        store.close()


def _told(seed: int, *, hashing: str) -> str:
    """Return what is told of a history in a process of its own."""
    command = [sys.executable, "-m", "crony.testing.simulation", "--seed", str(seed)]
    environ = os.environ | {"PYTHONHASHSEED": hashing}
    told = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=True
    )
    lines = told.stdout.splitlines()
    assert len(lines) > 50
    return "\n".join(lines[:-1])  # the last says how long it took


def test_a_seed_replays_exactly() -> None:
    assert _told(FIRST + 7, hashing="1") == _told(FIRST + 7, hashing="2")
