"""What does for many rows what a statement does for one is kept, and not for ever."""

from __future__ import annotations

import tracemalloc
from itertools import product

import pytest

from crony.storage.sql.dialect import batch, text

NAMES = [f"column_{number}" for number in range(12)]
INSERT = text(
    f"INSERT INTO things ({', '.join(NAMES)})"
    f" VALUES ({', '.join(f':{name}' for name in NAMES)})"
)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_rows_that_lack_each_other_things_leave_little_behind(database: str) -> None:
    tracemalloc.start()
    try:
        for lacking in product((None, 1), repeat=len(NAMES)):
            batch(INSERT, [dict(zip(NAMES, lacking, strict=True))], database)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_what_all_rows_lack_stands_in_the_statement() -> None:
    statement = text("INSERT INTO things (a, b, c) VALUES (:a, :b, :c)")
    rows = [{"a": 1, "b": None, "c": None}, {"a": 2, "b": None, "c": 3}]
    said, given = batch(statement, rows, "sqlite")
    assert said == "INSERT INTO things (a, b, c) VALUES (?, NULL, ?)"
    assert given == [(1, None), (2, 3)]
