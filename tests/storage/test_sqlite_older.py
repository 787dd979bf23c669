"""What an older release kept in its file is brought to this one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crony import errors
from crony.model.policy import PolicySettings, SandboxSettings, resolve
from crony.model.run import Run
from crony.storage import codec, open_store
from crony.storage.contract import Store
from crony.storage.sql import schema
from crony.storage.sql.sqlite import SqliteDatabase
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import Scene


def make_older(path: Path, version: str) -> sqlite3.Connection:
    """Make a store's file as an older release made it."""
    database = SqliteDatabase(path)
    database.create()
    database.connect()
    with database.migrating() as connection:
        schema.upgrade(connection, database.alchemy_url(), version)
    database.close()
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
