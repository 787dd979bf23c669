"""What is special to SQLite: its file, its schema, its errors."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from crony import errors
from crony.storage import open_store
from crony.storage.sql import SqlStore, engine, schema, versions
from crony.testing import factories

MIGRATE = """
import sys
from crony.storage import open_store
store = open_store(sys.argv[1])
sys.stdin.read(1)
store.migrate()
store.open()
print(store.tenants.find("default").name)
"""


def test_file_and_what_sqlite_adds_are_the_owners_alone(tmp_path: Path) -> None:
    store = open_store("sqlite:///a/crony.db", home=tmp_path)
    store.migrate()
    store.open()
    store.keys.insert(factories.make_key())
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["crony.db", "crony.db-shm", "crony.db-wal"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").iterdir()}
    assert modes == {0o600}
    store.close()


def test_commits_are_durable_and_readers_do_not_wait(
    new_file: Callable[[], Path],
) -> None:
    database = engine.Database(new_file())
    database.connect()
    with database.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "journal_mode", "foreign_keys", "busy_timeout")
        }
    database.close()
    assert settings == {
        "synchronous": 2,
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 10000,
    }


def test_a_store_that_was_not_migrated_is_not_opened(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/crony.db")
    with pytest.raises(errors.StoreUnusable):
        store.open()
    assert list(tmp_path.iterdir()) == []


def test_a_newer_schema_is_refused_before_anything_changes(
    new_file: Callable[[], Path],
) -> None:
    path = new_file()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = path.read_bytes()
    store = open_store(f"sqlite:///{path}")
    for refused in (store.migrate, store.open):
        with pytest.raises(errors.StoreUnusable, match="9999"):
            refused()
    assert path.read_bytes() == before


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


def test_an_older_schema_is_brought_to_this_one_with_what_it_holds(
    new_file: Callable[[], Path],
) -> None:
    path = new_file()
    store = open_store(f"sqlite:///{path}")
    store.open()
    made = factories.make_schedule()
    store.schedules.create(made, limit=1, quota=None)
    store.close()
    # What the later steps did, undone.
    undo = """
        ALTER TABLE duties DROP COLUMN note;
        CREATE INDEX runs_withdrawn ON runs (schedule) WHERE state = 'withdrawn';
        UPDATE alembic_version SET version_num = '0001';
    """
    connection = sqlite3.connect(path)
    connection.executescript(undo)
    connection.close()
    with pytest.raises(errors.StoreUnusable, match="0001"):
        store.open()
    store.migrate()
    store.open()
    assert store.schedules.find(made.tenant, made.id) == made
    store.close()
    assert parts_of(path) == parts_of(new_file())


def parts_of(path: Path) -> set[tuple[str, str]]:
    """Return the columns of all tables, and the indexes."""
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT name, type FROM sqlite_master").fetchall()
    parts = {(name, kind) for name, kind in tables if kind == "index"}
    for name, kind in tables:
        if kind == "table":
            info = connection.execute(f"PRAGMA table_info({name})").fetchall()
            parts |= {(name, row[1]) for row in info}
    connection.close()
    return parts


def test_the_known_versions_are_those_of_the_migrations() -> None:
    migrations = Path(schema.__file__).with_name("migrations")
    script = ScriptDirectory(str(migrations))
    found = [step.revision for step in script.walk_revisions()]
    assert tuple(reversed(found)) == versions.KNOWN


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, errors.StoreUnavailable),
        (sqlite3.SQLITE_FULL, errors.StoreUnavailable),
        (sqlite3.SQLITE_IOERR_FSYNC, errors.StoreUnavailable),
        (sqlite3.SQLITE_CORRUPT, errors.StoreUnusable),
        (sqlite3.SQLITE_READONLY_DBMOVED, errors.StoreUnusable),
        (sqlite3.SQLITE_CONSTRAINT, errors.StoreUnusable),
    ],
)
def test_an_error_of_the_database_is_ours_and_keeps_its_text_to_itself(
    code: int, expected: type[errors.CronyError]
) -> None:
    foreign = sqlite3.OperationalError("secret text")
    foreign.sqlite_errorcode = code
    with pytest.raises(expected) as caught, engine.translated():
        raise foreign
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is foreign


def test_a_locked_store_is_unavailable(
    new_file: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = new_file()
    impatient = ("PRAGMA busy_timeout = 1",)
    monkeypatch.setattr(engine.dialect, "CONNECTION_SETTINGS", impatient)
    store = SqlStore(path)
    store.open()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.StoreUnavailable):
        store.keys.insert(factories.make_key())
    other.execute("ROLLBACK")
    assert store.keys.insert(factories.make_key())
    other.close()
    store.close()


def test_a_full_disk_is_unavailable_and_nothing_is_half_done(
    new_file: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = new_file()
    pages = sqlite3.connect(path).execute("PRAGMA page_count").fetchone()[0]
    settings = (*engine.dialect.CONNECTION_SETTINGS, f"PRAGMA max_page_count={pages}")
    monkeypatch.setattr(engine.dialect, "CONNECTION_SETTINGS", settings)
    store = SqlStore(path)
    store.open()
    schedule = factories.make_schedule(description="x" * 100_000)
    with pytest.raises(errors.StoreUnavailable, match="full"):
        store.schedules.create(schedule, limit=1, quota=None)
    assert store.schedules.find("default", schedule.id) is None
    assert store.tenants.usage("default").schedules == 0
    store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite://host/a", "nosuch:///a", "a"])
def test_an_url_without_a_store_is_refused(url: str) -> None:
    with pytest.raises(errors.InvalidSetting):
        open_store(url)
