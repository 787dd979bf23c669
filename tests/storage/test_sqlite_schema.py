"""A file's schema is made once, or refused and left alone."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from crony import errors
from crony.storage import open_store
from crony.storage.sql import schema, versions
from crony.testing.storage.scene import Scene

MIGRATE = """
import sys
from crony.storage import open_store
store = open_store(sys.argv[1])
sys.stdin.read(1)
store.migrate()
store.open()
print(store.tenants.find("default").name)
"""


def test_a_store_that_was_not_migrated_is_not_opened(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/crony.db")
    with pytest.raises(errors.StoreUnusable):
        store.open()
    assert list(tmp_path.iterdir()) == []


def newer(path: Path, *, floor: str) -> None:
    """Let a file be of a newer release, that says who may work on it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE schema_floor SET floor = ?", [floor])


def test_a_newer_schema_is_refused_before_anything_changes(
    new_file: Callable[[], Path],
) -> None:
    path = new_file()
    newer(path, floor="9998")
    before = path.read_bytes()
    store = open_store(f"sqlite:///{path}")
    for refused in (store.migrate, store.open):
        with pytest.raises(errors.StoreUnusable, match="9998 or newer"):
            refused()
    assert path.read_bytes() == before


def test_a_newer_schema_that_lets_this_release_in_is_left_as_it_is(
    new_file: Callable[[], Path],
) -> None:
    path = new_file()
    newer(path, floor=versions.KNOWN[-1])
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    store.open()
    scene = Scene(store)
    assert scene.stored(scene.schedule()).revision == 1
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("SELECT * FROM alembic_version").fetchone()
    assert version == "9999"


def test_what_is_not_a_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (id)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(errors.StoreUnusable):
        open_store(f"sqlite:///{path}").migrate()
    assert path.read_bytes() == before
    path.write_text("not a database at all, but long enough to look at" * 20)
    with pytest.raises(errors.StoreUnusable, match="not a database"):
        open_store(f"sqlite:///{path}").migrate()


def test_two_processes_migrate_at_once_and_both_succeed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/crony.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate()[0].strip() for process in processes]
    assert answers == ["default", "default"]


def test_migrating_again_changes_nothing(new_file: Callable[[], Path]) -> None:
    store = open_store(f"sqlite:///{new_file()}")
    store.open()
    tenant = store.tenants.find("default")
    store.migrate()
    assert store.tenants.find("default") == tenant
    store.close()


def test_the_known_versions_are_those_of_the_migrations() -> None:
    migrations = Path(schema.__file__).with_name("migrations")
    script = ScriptDirectory(str(migrations))
    found = [step.revision for step in script.walk_revisions()]
    assert tuple(reversed(found)) == versions.KNOWN
