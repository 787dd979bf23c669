"""What is special to SQLite: its file and its errors."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from crony import errors
from crony.model.state import AttemptState
from crony.storage import open_store
from crony.storage.contract import Creation
from crony.storage.sql import SqlStore, sqlite
from crony.storage.sql.sqlite import SqliteDatabase
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import Scene
from tests.storage.hot_path import caught


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
    database = sqlite.SqliteDatabase(new_file())
    database.connect()
    with database.reading() as connection:
        settings = {
            name: connection.command(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "journal_mode", "foreign_keys", "busy_timeout")
        }
    database.close()
    assert settings == {
        "synchronous": 2,
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 10000,
    }


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
    code: int, expected: type[errors.CronyError], new_file: Callable[[], Path]
) -> None:
    database = sqlite.SqliteDatabase(new_file())
    database.connect()
    foreign = sqlite3.OperationalError("secret text")
    foreign.sqlite_errorcode = code
    with pytest.raises(expected) as raised, database.reading():
        raise foreign
    database.close()
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is foreign


def test_a_locked_store_is_unavailable(
    new_file: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = new_file()
    impatient = ("PRAGMA busy_timeout = 1",)
    monkeypatch.setattr(sqlite.dialect, "CONNECTION_SETTINGS", impatient)
    store = SqlStore(sqlite.SqliteDatabase(path))
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
    settings = (*sqlite.dialect.CONNECTION_SETTINGS, f"PRAGMA max_page_count={pages}")
    monkeypatch.setattr(sqlite.dialect, "CONNECTION_SETTINGS", settings)
    store = SqlStore(sqlite.SqliteDatabase(path))
    store.open()
    schedule = factories.make_schedule(description="x" * 100_000)
    with pytest.raises(errors.StoreUnavailable, match="full"):
        store.schedules.create(schedule, limit=1, quota=None)
    assert store.schedules.find("default", schedule.id) is None
    assert store.tenants.usage("default").schedules == 0
    store.close()


def test_a_disk_that_is_full_during_a_migration_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (*sqlite.dialect.CONNECTION_SETTINGS, "PRAGMA max_page_count=20")
    store = open_store(f"sqlite:///{tmp_path}/crony.db")
    with monkeypatch.context() as patch:
        patch.setattr(sqlite.dialect, "CONNECTION_SETTINGS", settings)
        with pytest.raises(errors.StoreUnavailable, match="full"):
            store.migrate()
    # Nothing of it was kept.
    store.migrate()
    store.open()
    assert store.tenants.find("default") is not None
    store.close()


def test_limits_that_are_so_already_are_not_written(
    new_file: Callable[[], Path],
) -> None:
    store = open_store(f"sqlite:///{new_file()}")
    store.open()
    kept, gone = factories.make_schedule(), factories.make_schedule()
    for schedule in (kept, gone):
        store.schedules.create(schedule, limit=3, quota=None)
    store.schedules.delete(gone, settled=(), cancel_running=False, now=store.now())
    with caught() as statements:
        store.schedules.limit([Creation(kept, 3), Creation(gone, 7)])
        assert not [sql for sql, _ in statements if sql.startswith("UPDATE")]
        store.schedules.limit([Creation(kept, 4)])
    assert [sql for sql, _ in statements if sql.startswith("UPDATE schedules")]
    store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite://host/a", "nosuch:///a", "a"])
def test_an_url_without_a_store_is_refused(url: str) -> None:
    with pytest.raises(errors.InvalidSetting):
        open_store(url)


def test_a_schedule_that_can_not_be_read_back_holds_up_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'crony.db'}")
    store.migrate()
    store.open()
    scene = Scene(store)
    bad, good = scene.schedule(name="bad"), scene.schedule(name="good")
    for schedule in (bad, good):
        scene.manual(schedule)
    with closing(sqlite3.connect(tmp_path / "crony.db")) as connection:
        connection.execute(
            "UPDATE definitions SET body = '{' WHERE schedule = ?", (bad.id,)
        )
        connection.commit()
    later = START + timedelta(days=1)
    for _ in range(2):
        assert [s.id for s in store.schedules.due(later, limit=9)] == [good.id]
    walked, _ = store.schedules.walk(limit=9, after=None)
    assert [schedule.id for schedule in walked] == [good.id]
    there, _ = store.runs.prunable(limit=9, after=None)
    assert [schedule for _, schedule, _ in there] == [good.id]
    (told,) = [record for record in caplog.records if "read back" in record.message]
    assert bad.id in str(vars(told))
    store.close()


def test_a_group_that_is_gone_leaves_lanes_of_unfinished_runs_alone(
    new_file: Callable[[], Path],
) -> None:
    path = new_file()
    store = open_store(f"sqlite:///{path}")
    store.open()
    scene = Scene(store)
    group = scene.group("etl")
    schedule = scene.schedule(limit=2, group="etl", queue="slow")
    scene.due(schedule, 0, 0.1)
    scene.due(scene.schedule(group="etl"), 0)
    scene.after(1)
    fast, slow = scene.worker(), scene.worker(queues=("slow",))
    (ended,) = scene.start(fast)
    scene.finish(fast, ended)
    one, _ = scene.start(slow)
    for each in store.schedules.in_group("default", "etl", held=False, limit=9):
        scene.edit(each, limit=2, group="default")
    assert store.groups.delete("default", "etl", expected=group.revision)
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT queue FROM lanes WHERE group_name = 'etl'")
    assert found.fetchall() == [("slow",)]
    connection.close()
    scene.report(slow, one, AttemptState.FAILED, retry_at=scene.now)
    assert scene.leased(slow, slots=1) == [one.run]
    store.close()


def test_the_log_goes_into_the_file_and_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crony.storage.sql.sqlite._WRITTEN", 50)
    store = open_store(f"sqlite:///{tmp_path / 'crony.db'}")
    store.migrate()
    store.open()
    scene = Scene(store)
    assert isinstance(store, SqlStore)
    database = store._database
    assert isinstance(database, SqliteDatabase)
    log = tmp_path / "crony.db-wal"
    sizes = []
    for _ in range(100):
        scene.schedule()
        # What was begun on the side is over before the next is written.
        database._log.finish()
        sizes.append(log.stat().st_size)
    # It is written over from its beginning, and does not grow any more.
    assert sizes[-1] < 1.5 * sizes[9], sizes
    store.close()
