"""Stands: every level, as root and as a plain user, each started when first used."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.stand import Stand

ROOT = os.geteuid() == 0

#: Where a task is confined in full: by namespaces, with or without groups.
CONFINED = ["root-full", "root-namespaces", "plain-namespaces"]
#: Where only the rules of Landlock stand.
LANDLOCK = ["root-landlock", "plain-landlock"]
#: Where nothing stands in the way of an attack.
OPEN = "plain-none"


class Stands:
    """All stands of a session."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._open: dict[str, Stand] = {}

    def get(self, name: str) -> Stand:
        """Give a stand, starting it when it is not there; skip what can't be."""
        if name not in self._open:
            who, level = name.split("-")
            if who == "root" and not ROOT:
                pytest.skip("needs root")
            stand = Stand(level, self._base / name, plain=who == "plain")
            if stand.missing is not None:
                stand.close()
                pytest.fail(f"{name}: {stand.missing}")
            self._open[name] = stand
        return self._open[name]

    def close(self) -> None:
        for stand in self._open.values():
            stand.close()


@pytest.fixture(scope="session")
def stands() -> Iterator[Stands]:
    """Keep one driver per level and user for the whole session."""
    with tempfile.TemporaryDirectory(prefix="crony-stands-") as base:
        os.chmod(base, 0o755)
        made = Stands(Path(base))
        yield made
        made.close()


@pytest.fixture(params=[*CONFINED, *LANDLOCK, OPEN, "root-none"])
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
