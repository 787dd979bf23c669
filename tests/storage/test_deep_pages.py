"""A page costs as much wherever it is, also among many that sort alike."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crony.model.state import RunState
from crony.storage import open_store
from crony.storage.contract import Position, RunQuery, ScheduleQuery, Store
from crony.testing.clock import START
from crony.testing.storage.scene import TENANT
from tests.storage.hot_path import caught

# One process fills the file that they share.
pytestmark = pytest.mark.xdist_group("plans")

#: Where a page begins, and what asks for it.
Asked = Callable[[Store, Position], object]

_LIMIT = 20
_EARLY, _LATE = 100, 60_000
_SCHEDULE = "SELECT {} FROM schedules ORDER BY 1, 2 LIMIT 1 OFFSET {}"
_RUN = "SELECT scheduled_for, id FROM runs ORDER BY 1 {0}, 2 {0} LIMIT 1 OFFSET {{}}"


def _schedules(sort: str) -> Asked:
    query = ScheduleQuery(sort=sort)  # type: ignore[arg-type]  # one of three
    return lambda store, after: store.schedules.page(
        TENANT, query, limit=_LIMIT, after=after
    )


def _runs(**members: Any) -> Asked:
    query = RunQuery(**members)
    return lambda store, after: store.runs.page(
        TENANT, query, limit=_LIMIT, after=after
    )


#: In which all of them are.
_SPAN = {"since": START - timedelta(days=1), "until": START + timedelta(days=1)}
_NEWEST, _OLDEST = _RUN.format("DESC"), _RUN.format("ASC")
PAGES: dict[str, tuple[str, Asked]] = {
    "a walk over all schedules": (
        _SCHEDULE.format("tenant, id", "{}"),
        lambda store, after: store.schedules.walk(limit=_LIMIT, after=after),
    ),
    "schedules made at one instant": (
        _SCHEDULE.format("created_at, id", "{}"),
        _schedules("created_at"),
    ),
    "schedules due at one instant": (
        _SCHEDULE.format("cursor, id", "{}"),
        _schedules("next_run_at"),
    ),
    "schedules without a name": (
        _SCHEDULE.format("name, id", "{}"),
        _schedules("name"),
    ),
    "runs of one instant, the newest first": (_NEWEST, _runs()),
    "runs of one instant, the oldest first": (_OLDEST, _runs(oldest_first=True)),
    "runs of one instant and state": (
        _NEWEST,
        _runs(states=frozenset({RunState.PENDING})),
    ),
    "runs of a span, the newest first": (_NEWEST, _runs(**_SPAN)),
    "runs of a span, the oldest first": (_OLDEST, _runs(**_SPAN, oldest_first=True)),
    "schedules that move": (
        _SCHEDULE.format("tenant, id", "{}"),
        lambda store, after: store.moving.schedules(TENANT, limit=_LIMIT, after=after),
    ),
    "runs that move": (
        "SELECT tenant, id FROM runs ORDER BY 1, 2 LIMIT 1 OFFSET {}",
        lambda store, after: store.moving.runs(TENANT, limit=_LIMIT, after=after),
    ),
}


@pytest.fixture(scope="module")
def alike(full_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose schedules differ in their ids alone."""
    path = tmp_path_factory.mktemp("alike") / "crony.db"
    shutil.copyfile(full_file, path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schedules SET name = NULL")
    connection.execute("UPDATE runs SET state = 'pending'")
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_cheap_far_down_as_at_the_top(alike: Path, name: str) -> None:
    place, ask = PAGES[name]
    early, late = (_steps(alike, place.format(row), ask) for row in (_EARLY, _LATE))
    assert 0 < late < 1.5 * early


def _steps(path: Path, place: str, ask: Asked) -> int:
    """Return how many steps SQLite takes for a page that begins there."""
    connection = sqlite3.connect(path)
    after = connection.execute(place).fetchone()
    store = open_store(f"sqlite:///{path}")
    store.open()
    with caught() as statements:
        ask(store, after)
    store.close()
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    connection.set_progress_handler(step, 1)
    found = [
        connection.execute(sql, values).fetchall()
        for sql, values in statements
        if sql.startswith("SELECT")
    ]
    connection.close()
    assert max(map(len, found)) >= _LIMIT
    return steps
