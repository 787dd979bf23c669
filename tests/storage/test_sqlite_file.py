"""What is special to SQLite: its file, its schema, its errors."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from crony import errors
from crony.model.policy import PolicySettings, SandboxSettings, resolve
from crony.model.run import Run
from crony.model.state import AttemptState
from crony.storage import codec, open_store
from crony.storage.contract import Store
from crony.storage.sql import SqlStore, schema, sqlite, versions
from crony.testing import factories
from crony.testing.clock import START
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


def make_older(path: Path, version: str) -> sqlite3.Connection:
    """Make a store's file as an older release made it."""
    writer = sa.create_engine(f"sqlite:///{path}")
    with writer.begin() as connection:
        schema.upgrade(connection, version)
    writer.dispose()
    older = sqlite3.connect(path)
    older.execute("PRAGMA journal_mode = WAL")
    return older


def keep_older(connection: sqlite3.Connection, table: str, **values: object) -> None:
    """Insert a row as an older release did; what must be there is, empty."""
    info = connection.execute(f"PRAGMA table_info({table})").fetchall()
    empty = {
        name: "" if kind == "TEXT" else 0 for _, name, kind, must, *_ in info if must
    }
    row = empty | values
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)


def fill_older(connection: sqlite3.Connection, run: Run, definition: str) -> None:
    """Store a tenant, a schedule and its leased run as release 0002 kept them."""
    instant = codec.instant_out(START)
    made = {"created_at": instant, "updated_at": instant}
    of = {"tenant": "default", "schedule": run.schedule}
    keep_older(connection, "tenants", name="default", revision=1, quotas="{}", **made)
    keep_older(
        connection,
        "schedules",
        id=run.schedule,
        tenant="default",
        revision=1,
        state="active",
        cursor=instant,
        max_concurrent=1,
        queue="default",
        labels="{}",
        **made,
    )
    wants = '[["gpu", "a100"]]'
    lane = {"tenant": "default", "queue": "default", "requires": wants, "level": 2}
    keep_older(connection, "lanes", id=7, **lane)
    keep_older(connection, "definitions", **of, revision=1, lane=7, body=definition)
    keep_older(
        connection,
        "runs",
        **of,
        id=run.id,
        revision=1,
        origin="schedule",
        scheduled_for=instant,
        due_at=instant,
        available_at=instant,
        range_count=1,
        state="pending",
        queue="default",
        priority=3,
        max_lost=5,
        created_at=instant,
        lane=7,
        admitted=1,
    )
    connection.commit()


def test_an_older_schema_is_brought_to_this_one_with_what_it_holds(
    tmp_path: Path, new_file: Callable[[], Path]
) -> None:
    path = tmp_path / "older.db"
    settings = PolicySettings(
        priority=3,
        max_runtime=timedelta(seconds=90),
        sandbox=SandboxSettings(network="host"),
    )
    made = factories.make_schedule(
        cursor=START, policy=settings, requires={"gpu": "a100"}
    )
    run = factories.make_run(made, scheduled_for=START, priority=3)
    body = json.loads(codec.definition_out(made.definition))
    for later in ("group", "profile", "hooks"):
        del body[later]
    older = make_older(path, "0002")
    fill_older(older, run, json.dumps(body))
    older.close()
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(errors.StoreUnusable, match="0002"):
        store.open()
    store.migrate()
    store.open()
    assert store.schedules.find("default", made.id) == made
    (first,) = store.schedules.versions(made.tenant, made.id, until=None, limit=9)
    assert (first.revision, first.definition) == (1, made.definition)
    assert first.since == START - timedelta(milliseconds=1)
    assert store.groups.schedules("default", ["default"]) == {"default": 1}
    group = store.groups.find("default", "default")
    assert group is not None
    policy, _ = resolve(("schedule", settings))
    kept = store.runs.find("default", run.id)
    assert kept == replace(run, policy=policy)
    check_older_run_goes_on(store, run)
    store.close()
    assert parts_of(path) == parts_of(new_file())


def check_older_run_goes_on(store: Store, run: Run) -> None:
    """A worker with the labels it asks for gets the run, and an event tells of it."""
    scene = Scene(store)
    assert scene.leased(scene.worker(labels={})) == []
    assert scene.leased(scene.worker(labels={"gpu": "a100"})) == [run.id]
    assert scene.told(run.id) == ["run.leased"]


def test_what_the_first_release_made_is_brought_to_this_one(
    tmp_path: Path, new_file: Callable[[], Path]
) -> None:
    path = tmp_path / "first.db"
    make_older(path, "0001").close()
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    store.open()
    assert store.groups.find("default", "default") is not None
    store.close()
    assert parts_of(path) == parts_of(new_file())


def parts_of(path: Path) -> set[tuple[str, str]]:
    """Return the columns of all tables, and the indexes."""
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT name, type FROM sqlite_master").fetchall()
    parts = {(name, kind) for name, kind in tables if kind in ("index", "trigger")}
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
    with pytest.raises(expected) as caught, sqlite.translated():
        raise foreign
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is foreign


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
