"""A file with a long history and many idle schedules, all alike."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

from crony.model.state import AttemptState
from crony.storage import open_store
from crony.testing.clock import START
from crony.testing.storage.scene import Scene

ROWS = 100_000

_FILL = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
)

#: The column that names what a row is of, where it is not the row's own id.
_KEYS = {"attempts": "run", "definitions": "schedule", "versions": "schedule"}


def fill(path: Path) -> None:
    """Copy a schedule, a run and what is of them in a migrated file, many times."""
    store = open_store(f"sqlite:///{path}")
    store.open()
    scene = Scene(store)
    schedule = scene.schedule(name="one", cursor=START + timedelta(days=1))
    run = scene.manual(schedule)
    worker = scene.worker()
    (item,) = scene.start(worker)
    scene.report(worker, item, AttemptState.FAILED)
    store.close()
    connection = sqlite3.connect(path)
    for table, key, extra in (
        ("schedules", f"'{schedule.id}'", {"id": "'s' || i", "name": "'n' || i"}),
        ("runs", f"'{run.id}'", {"id": "'r' || i", "schedule": "'s' || (i % 1000)"}),
        ("definitions", f"'{schedule.id}'", {"schedule": "'s' || i"}),
        ("versions", f"'{schedule.id}'", {"schedule": "'s' || i"}),
        (
            "attempts",
            f"'{run.id}'",
            {"run": "'r' || i", "schedule": "'s' || (i % 1000)"},
        ),
    ):
        info = connection.execute(f"PRAGMA table_info({table})").fetchall()
        columns = [row[1] for row in info]
        values = ", ".join(extra.get(name, f"t.{name}") for name in columns)
        where = _KEYS.get(table, "id")
        connection.execute(
            f"{_FILL.format(rows=ROWS)} INSERT INTO {table} ({', '.join(columns)})"
            f" SELECT {values} FROM n, {table} t WHERE t.{where} = {key}"
        )
    connection.commit()
    connection.execute("ANALYZE")
    connection.close()
