"""A house for each place where a store may be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.folders import Folders
from tests.integration.stores.house import House, house
from tests.integration.stores.places import PLACES


@pytest.fixture(
    scope="package",
    params=[
        pytest.param(name, marks=pytest.mark.xdist_group(f"stores-{name}"))
        for name in PLACES
    ],
)
def started(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    in_memory: Folders,
) -> Iterator[House]:
    """All of it, from the first test to the last."""
    directory = tmp_path_factory.mktemp(request.param)
    with house(request.param, directory, servers=in_memory(request.param)) as made:
        yield made


@pytest.fixture
def at_home(started: House) -> Iterator[House]:
    """All of it, as it was before the test that broke something."""
    started.witness.forget()
    yield started
    started.place.revive()
