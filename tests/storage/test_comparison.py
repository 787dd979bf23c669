"""SQLite beside the reference driver: whatever happens, they agree."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing.storage.comparison import Comparison

#: More for a long search: CRONY_EXAMPLES=2000.
EXAMPLES = int(os.environ.get("CRONY_EXAMPLES", "20"))


# Half a minute on a machine of its own; others may be at work beside it.
@pytest.mark.timeout(400)
def test_sqlite_answers_as_the_reference_driver_does(
    new_file: Callable[[], Path],
) -> None:
    path = new_file()
    empty = path.read_bytes()

    def stores() -> tuple[Store, Store]:
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.write_bytes(empty)
        pair = (open_store("memory://"), open_store(f"sqlite:///{path}"))
        pair[0].migrate()
        for store in pair:
            store.open()
        return pair

    machine = type("SqliteComparison", (Comparison,), {"stores": staticmethod(stores)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
