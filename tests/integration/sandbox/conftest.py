"""Stands: every level, as root and as a plain user, each started when first used."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.stand import Stand

ROOT = os.geteuid() == 0

#: Who can be a worker's user here: a plain user's tests can't become root.
_USERS = ("root", "plain") if ROOT else ("plain",)


#: Slots that have a sandbox in reserve, where there is any.
_SPARES = 8


def _stands(*names: str) -> list[str]:
    return [name for name in names if name.split("-")[0] in _USERS]


#: A plain user has no rights to drop, and can make no networks.
collect_ignore = [] if ROOT else ["test_spawner.py", "test_networks.py"]

#: Where a task is confined in full: by namespaces, with or without groups; and in a
#: sandbox that stood ready before anybody knew of the task.
CONFINED = _stands(
    "root-full", "root-full-ready", "root-namespaces", "plain-namespaces"
)
#: Where only the rules of Landlock stand.
LANDLOCK = _stands("root-landlock", "plain-landlock")
#: Where nothing stands in the way of an attack.
OPEN = "plain-none"
ANY = [*CONFINED, *LANDLOCK, OPEN, *_stands("root-none")]


def started_stand(name: str, state_dir: Path, **asked: object) -> Stand:
    """Start a stand by its name: who runs it, which level, and how."""
    who, level, *ready = name.split("-")
    if ready:
        asked["spares"] = _SPARES
    stand = Stand(level, state_dir, plain=who == "plain", **asked)
    if stand.missing is not None:
        stand.close()
        pytest.fail(f"{name}: {stand.missing}")
    return stand


class Stands:
    """All stands of a session."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._open: dict[str, Stand] = {}

    def get(self, name: str) -> Stand:
        """Give a stand, starting it when it is not there."""
        if name not in self._open:
            self._open[name] = started_stand(name, self._base / name)
        return self._open[name]

    def close(self) -> None:
        for stand in self._open.values():
            stand.close()


@pytest.fixture(scope="session")
def stands() -> Iterator[Stands]:
    """Keep one driver per level and user for the whole session."""
    with tempfile.TemporaryDirectory(prefix="crony-stands-", dir="/var/tmp") as base:
        os.chmod(base, 0o755)
        made = Stands(Path(base))
        yield made
        made.close()


@pytest.fixture(params=ANY)
def any_stand(request: pytest.FixtureRequest, stands: Stands) -> Stand:
    """Go through every level, confined or not."""
    return stands.get(request.param)


@pytest.fixture(params=CONFINED)
def confined(request: pytest.FixtureRequest, stands: Stands) -> Stand:
    """Go through the levels that confine in full."""
    return stands.get(request.param)


@pytest.fixture(params=[*CONFINED, *LANDLOCK])
def guarded(request: pytest.FixtureRequest, stands: Stands) -> Stand:
    """Go through the levels that guard files, sockets and system calls."""
    return stands.get(request.param)


@pytest.fixture
def unconfined(stands: Stands) -> Stand:
    """Give the level ``none``, run by a plain user: an attack must succeed there."""
    return stands.get(OPEN)
