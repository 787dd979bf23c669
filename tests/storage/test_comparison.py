"""Each driver beside the reference: whatever happens, they agree."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from crony.storage.contract import Store
from crony.testing.storage.comparison import Comparison
from tests.storage.stands import STANDS, Stand

Stands = Callable[[str], Stand]

#: More for a long search: CRONY_EXAMPLES=2000.
EXAMPLES = int(os.environ.get("CRONY_EXAMPLES", "20"))
#: A server takes ten times as long.
AT_SERVERS = int(os.environ.get("CRONY_EXAMPLES", "3"))


# Half a minute on a machine of its own; others may be at work beside it, and what
# fails is looked at from all sides.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [name for name in STANDS if name != "memory"])
def test_each_driver_answers_as_the_reference_does(name: str, stands: Stands) -> None:
    def stores() -> tuple[Store, Store]:
        pair = (stands("memory").new(), stands(name).new())
        for store in pair:
            store.open()
        return pair

    machine = type("DriverComparison", (Comparison,), {"stores": staticmethod(stores)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES if name == "sqlite" else AT_SERVERS,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
