"""A driver is found by the scheme of its URL, whoever wrote it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from crony import errors, storage
from crony.storage import open_store
from crony.storage.memory import MemoryStore
from crony.storage.sql import SqlStore

PROJECT = Path(__file__).parents[2] / "pyproject.toml"

_MODULE = '''\
from crony.storage.memory import MemoryStore


class ShelfStore(MemoryStore):
    """A store of somebody else."""

    @classmethod
    def from_url(cls, url, *, home):
        store = cls()
        store.opened_as = (url, home)
        return store
'''


@pytest.fixture
def foreign_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with a driver, as an installer lays it out."""
    (tmp_path / "crony_shelf_of_a_test.py").write_text(_MODULE)
    info = tmp_path / "crony_shelf-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: crony-shelf\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[crony.storage]\nshelf = crony_shelf_of_a_test:ShelfStore.from_url\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_a_driver_of_another_package_is_found_by_its_entry_point(
    foreign_package: None, tmp_path: Path
) -> None:
    store = open_store("shelf:oak", home=tmp_path)
    assert type(store).__name__ == "ShelfStore"
    assert vars(store)["opened_as"] == ("shelf:oak", tmp_path)
    store.migrate()
    store.open()
    assert store.tenants.find("default") is not None


def test_a_scheme_without_a_driver_is_refused_with_those_there_are(
    foreign_package: None,
) -> None:
    known = ", ".join(sorted([*storage.OWN, "shelf"]))
    with pytest.raises(errors.InvalidSetting, match=re.escape(f"there are: {known}")):
        open_store("mongo://host/crony")


def test_drivers_of_this_package_are_entry_points_as_well(tmp_path: Path) -> None:
    declared = tomllib.loads(PROJECT.read_text())["project"]["entry-points"]
    assert declared[storage.GROUP] == storage.OWN
    assert isinstance(open_store("memory:"), MemoryStore)
    assert isinstance(open_store("sqlite:///a.db", home=tmp_path), SqlStore)
