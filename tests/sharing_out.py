"""A pytest plugin: how the tests are shared out among several processes.

Those of one ``xdist_group`` share what takes long to start, and one process runs them,
one after the other. The many quick tests come last, so that all processes end together,
and none is still at a long one.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId

_QUICK = Path(__file__).parent / "unit"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Sort them once they have been shuffled; those alike stay in that order."""
    yield
    items.sort(key=lambda item: item.path.is_relative_to(_QUICK))
    if config.getoption("loadgroup", default=False):
        for item in items:
            _name_group(item)


def _name_group(item: pytest.Item) -> None:
    """Say in a test's id of which group it is, where xdist looks for it.

    xdist 3.8 does so itself, with releases of pytest before 9.2; with this one it says
    nothing, and every process starts what one group shares.
    """
    group = "_".join(sorted(mark.args[0] for mark in item.iter_markers("xdist_group")))
    if group and not item.nodeid.endswith(f"@{group}"):
        item._id = NodeId.parse(f"{item.nodeid}@{group}")
