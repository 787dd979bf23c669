"""Requests made up from the description, sound and unsound, against every route."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from crony.api.routes import ROUTES, WORK, Route
from crony.scheduler.moving import MEDIA_TYPE
from crony.testing.service import ServiceProcess
from tests.integration.api.caller import Caller
from tests.integration.api.walk import HEADERS, World, new_world

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

#: Enough to meet each rule of a body now and then, and not to hold up the others.
EXAMPLES = 6

DURATIONS = st.builds(
    lambda count, unit: f"{count}{unit}",
    st.integers(0, 5000),
    st.sampled_from(["ms", "s", "m", "h", "d"]),
)
CRONS = st.tuples(
    st.sampled_from(["*", "0", "*/7", "5,50", "H", "1-9"]),
    st.sampled_from(["*", "0", "*/5", "2", "H(0-5)"]),
    st.sampled_from(["*", "1", "L", "15W", "31", "*/2"]),
    st.sampled_from(["*", "2", "JAN-MAR"]),
    st.sampled_from(["*", "1-5", "MON#1", "5L", "7"]),
).map(" ".join)

schemathesis.openapi.format("crony-duration", DURATIONS)
schemathesis.openapi.format("crony-cron", CRONS)
schemathesis.openapi.format(
    "crony-every", st.sampled_from(["minute", "day", "month"]) | DURATIONS
)
schemathesis.openapi.format("crony-size", st.sampled_from(["1M", "512K", "2G", "9"]))
schemathesis.openapi.format(
    "crony-timezone",
    st.sampled_from(["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe"]),
)


@schemathesis.serializer(MEDIA_TYPE)
def lines(context: Any, value: object) -> bytes:
    """Send what was made up as it is."""
    return str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def schema(service: ServiceProcess) -> Any:
    return schemathesis.openapi.from_url(service.url + "/openapi.json")


@pytest.fixture(scope="module")
def session() -> Any:
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_a_route_answers_as_described_whatever_it_is_sent(
    admin: Caller, schema: Any, session: requests.Session, route: Route
) -> None:
    world = new_world(admin)
    headers = headers_for(world, route)
    operation = schema[route.path][route.method]
    statuses: Counter[int] = Counter()

    def attempt(case: schemathesis.Case) -> None:
        # A poll that waits is another test's matter.
        if route.operation == "lease" and isinstance(case.body, dict):
            case.body["wait"] = "0s"
        if isinstance(case.query, dict):
            case.query.pop("follow", None)
        answer = case.call(session=session, headers=headers)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ids = world.places(route)
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        if mode is GenerationMode.NEGATIVE and not can_be_wrong(route):
            continue
        cases = operation.as_strategy(generation_mode=mode, path_parameters=ids)
        runner = given(case=cases)(attempt)
        settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )(runner)()
    assert statuses.total() >= 1
    reached = statuses.keys() - {401, 403, 405}
    # What is reported of made-up runs is refused, item by item.
    if route.operation not in ("report", "reports"):
        reached -= {404}
    assert reached, statuses


def headers_for(world: World, route: Route) -> dict[str, str]:
    key = world.worker.call.key if route.roles == WORK else world.caller.key
    headers = {"Authorization": f"Bearer {key}"}
    if route.roles != WORK:
        headers |= world.caller.headers
    return headers | HEADERS.get(route.operation, {})


def can_be_wrong(route: Route) -> bool:
    """Whether there is anything in the request that could be unsound."""
    return bool(route.query or route.body)
