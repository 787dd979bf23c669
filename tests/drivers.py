"""A pytest plugin: the drivers that are installed are looked up once.

Thousands of tests open a store, and each look goes through all packages that there are,
which takes ten times as long as to open a store in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoints, entry_points

import pytest

from crony import storage


@pytest.fixture(scope="session", autouse=True)
def drivers_are_remembered() -> Iterator[None]:
    """Look again only where a test has put others on the path."""

    @cache
    def looked(path: tuple[str, ...], group: str) -> EntryPoints:
        return entry_points(group=group)

    def look(*, group: str) -> EntryPoints:
        return looked(tuple(sys.path), group)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "entry_points", look)
        yield
