"""A pytest plugin: how the tests, and their compilation, are shared out.

Each of several processes imports all modules of tests, and in a new clone compiles them
first, with asserts that say what they compared, which takes longer than the import. So
each begins at another one, and finds most of the others compiled.

Those of one ``xdist_group`` share what takes long to start, and one process runs them,
one after the other. The many quick tests come last, so that all processes end together,
and none is still at a long one.
"""

from __future__ import annotations

import importlib
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId

_HERE = Path(__file__).parent
_QUICK = _HERE / "unit"


def pytest_collection(session: pytest.Session) -> None:
    """Import all modules, if one of several processes is about to."""
    here: dict[str, object] | None = getattr(session.config, "workerinput", None)
    if here is None or not session.config.getoption("complete", default=False):
        return
    number, count = int(str(here["workerid"])[2:]), int(str(here["workercount"]))
    for file in _from(sorted(_HERE.rglob("test_*.py")), number, count):
        name = ".".join(file.relative_to(_HERE.parent).with_suffix("").parts)
        # What can't be imported is told when it is collected.
        with suppress(Exception):
            importlib.import_module(name)


def _from(files: Sequence[Path], number: int, count: int) -> Sequence[Path]:
    """Return files in a ring, from where the process of that number begins."""
    start = len(files) * number // count
    return [*files[start:], *files[:start]]


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
