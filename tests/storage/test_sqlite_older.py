"""What an older release kept in its file is brought to this one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crony import errors
from crony.model.policy import PolicySettings, SandboxSettings, resolve
from crony.model.run import Run
from crony.model.state import RunState
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


def parts_of(path: Path) -> set[tuple[str, str, str | None]]:
    """Return all tables, indexes and triggers, as they are written."""
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT type, name, sql FROM sqlite_master"
        return {(kind, name, text) for kind, name, text in connection.execute(sql)}


_LIST = "('pending', 'leased', 'running', 'stopping')"
_HELD = "state IN ('leased','running','stopping')"
_ENDED = (
    "state IN ('succeeded','failed','timed_out','cancelled','missed','skipped',"
    "'expired')"
)
_UP = (
    "INSERT INTO tallies (tenant, queue, state, count)"
    " VALUES (NEW.tenant, NEW.queue, NEW.state, 1)"
    " ON CONFLICT (tenant, queue, state) DO UPDATE SET count = count + 1;"
)
_BY_END = "schedule, coalesce(finished_at, created_at), id"

#: What release 0004 made with lists of states, as it made them.
OF_0004 = {
    "runs_held": f"INDEX runs_held ON runs (schedule, (origin = 'hook')) WHERE {_HELD}",
    "runs_held_by": f"INDEX runs_held_by ON runs (worker, id) WHERE {_HELD}",
    "runs_held_in_group": (
        "INDEX runs_held_in_group ON runs (tenant, group_name, id)"
        f" WHERE {_HELD} AND origin <> 'hook'"
    ),
    "runs_ended": (
        f"INDEX runs_ended ON runs ({_BY_END}) WHERE {_ENDED} AND origin <> 'hook'"
    ),
    "runs_ended_hooks": (
        f"INDEX runs_ended_hooks ON runs ({_BY_END}) WHERE {_ENDED} AND origin = 'hook'"
    ),
    "attempts_faults": (
        "INDEX attempts_faults ON attempts (schedule, finished_at, run, number)"
        " WHERE (state IN ('failed','timed_out','lost') OR says IS NOT NULL)"
    ),
    "runs_inserted": (
        "TRIGGER runs_inserted AFTER INSERT ON runs"
        f" WHEN NEW.state IN {_LIST} BEGIN {_UP} END"
    ),
    "runs_entered": (
        "TRIGGER runs_entered AFTER UPDATE OF state ON runs WHEN OLD.state <> NEW.state"
        f" AND NEW.state IN {_LIST} BEGIN {_UP} END"
    ),
    "runs_left": (
        "TRIGGER runs_left AFTER UPDATE OF state ON runs WHEN OLD.state <> NEW.state"
        f" AND OLD.state IN {_LIST} BEGIN UPDATE tallies SET count = count - 1"
        " WHERE tenant = OLD.tenant AND queue = OLD.queue AND state = OLD.state; END"
    ),
}

#: States that ``tallies`` count.
LIVE = {"pending", "leased", "running", "stopping"}


def test_what_is_said_in_other_words_says_the_same_of_what_is_there(
    tmp_path: Path, new_file: Callable[[], Path]
) -> None:
    path = tmp_path / "lists.db"
    older = make_older(path, "0004")
    for name, text in OF_0004.items():
        older.execute(f"DROP {text.split()[0]} {name}")
        older.execute(f"CREATE {text}")
    for state in RunState:
        keep_older(
            older,
            "runs",
            id=f"run-{state}",
            tenant="default",
            schedule="of-all",
            queue="default",
            state=state.value,
        )
    older.commit()
    older.close()
    assert tallies(path) == dict.fromkeys(LIVE, 1)
    open_store(f"sqlite:///{path}").migrate()
    assert parts_of(path) == parts_of(new_file())
    assert tallies(path) == dict.fromkeys(LIVE, 1)
    for state in RunState:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE runs SET state = ?", [state.value])
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        counted = {state.value: len(RunState)} if state.value in LIVE else {}
        assert tallies(path) == counted


def tallies(path: Path) -> dict[str, int]:
    """Return how many runs are counted in each state."""
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT state, count FROM tallies WHERE queue = 'default' AND count <> 0"
        return dict(connection.execute(sql).fetchall())
