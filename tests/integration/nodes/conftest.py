"""A pair of nodes before each store that several hosts, or processes, may open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.folders import Folders
from tests.integration.nodes.pair import Pair, Watch, pair
from tests.storage.stands import SHARED, make_stand

#: What a driver does on two of these it does on one.
_ALIKE = {"mongodb"}


@pytest.fixture(
    scope="package",
    params=[
        pytest.param(name, marks=pytest.mark.xdist_group(f"nodes-{name}"))
        for name in SHARED
        if name not in _ALIKE
    ],
)
def storage(request: pytest.FixtureRequest, in_memory: Folders) -> Iterator[str]:
    """The URL of a store that nobody has migrated yet."""
    directory = in_memory(request.param)
    stand = make_stand(request.param, directory)
    try:
        yield _beside(stand.fresh(), directory)
    finally:
        stand.close()


def _beside(url: str, directory: Path) -> str:
    """Return the URL of an empty database of the same server."""
    parts = urlsplit(url)
    match parts.scheme:
        case "sqlite":
            return f"sqlite:///{directory}/first.db"
        case "redis":
            return urlunsplit(parts._replace(path="/1"))
        case "postgresql":
            import psycopg

            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE first")
    return urlunsplit(parts._replace(path="/first"))


@pytest.fixture(scope="package")
def started(storage: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two nodes before it, which were started at once."""
    with pair(tmp_path_factory.mktemp("nodes"), storage) as made:
        yield made


@pytest.fixture
def both(started: Pair) -> Pair:
    """Both, also after a test that ended one."""
    started.revive()
    return started


@pytest.fixture
def watch(storage: str, both: Pair) -> Iterator[Watch]:
    """Who sees which of them ticks."""
    made = Watch(storage)
    yield made
    made.close()
