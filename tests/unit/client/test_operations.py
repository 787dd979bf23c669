"""One method for each operation of the API, named alike."""

from __future__ import annotations

import pytest

from crony.api.routes import ROUTES
from crony.client import Client

#: Named otherwise, since one method does both.
ELSEWHERE = {"list_schedule_runs": "list_runs"}


@pytest.mark.parametrize("operation", [route.operation for route in ROUTES])
def test_every_operation_has_a_method_that_says_what_it_does(operation: str) -> None:
    method = getattr(Client, ELSEWHERE.get(operation, operation))
    assert callable(method)
    assert method.__doc__
