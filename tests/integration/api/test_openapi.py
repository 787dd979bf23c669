"""The description says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from crony.api.bodies.schedule import LIVE
from crony.api.openapi import document
from crony.api.openapi.document import KINDS
from crony.api.openapi.page import page
from crony.api.openapi.shapes import LIVE_OF_SCHEDULE
from crony.api.routes import BY_PLACE, ROUTES, Route
from crony.model.state import AttemptState, Origin, Reason, RunState
from tests.integration.api.caller import Caller, kind, unique
from tests.integration.api.walk import BODIES, DATA, HEADERS, new_world

DOCUMENT: dict[str, Any] = json.loads(document())
OPERATIONS = {
    (method.upper(), path): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def test_the_description_has_every_route_and_no_other() -> None:
    assert OPERATIONS.keys() == BY_PLACE.keys()
    assert len(BY_PLACE) == len(ROUTES)
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_an_operation_is_described_whole(route: Route) -> None:
    said = OPERATIONS[route.method, route.path]
    given = {(p["in"], p["name"]) for p in said["parameters"]}
    assert {name for kind, name in given if kind == "query"} == set(route.query)
    assert {name for kind, name in given if kind == "path"} == set(
        re.findall(r"{(\w+)}", route.path)
    )
    assert all(p["description"] and p["schema"] for p in said["parameters"])
    assert said["summary"]
    assert said["description"]
    assert (said.get("security") == []) == (not route.roles)
    assert ("requestBody" in said) == bool(route.body or route.takes)
    assert {str(route.status), *map(str, route.also)} <= said["responses"].keys()
    assert ("401" in said["responses"]) == bool(route.roles)
    if route.body is not None and not route.body_optional:
        for content in said["requestBody"]["content"].values():
            assert validator(content["schema"]).is_valid(content["example"])


def test_every_reference_leads_somewhere_and_every_schema_is_referred_to() -> None:
    text = json.dumps(DOCUMENT)
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert referred == set(DOCUMENT["components"]["schemas"])


def test_every_problem_of_a_request_is_in_the_description() -> None:
    text = " ".join(
        response["description"]
        for operation in OPERATIONS.values()
        for status, response in operation["responses"].items()
        if int(status) >= 400
    )
    # A method that a path does not have belongs to no operation.
    missing = {kind.name for kind in KINDS if f"`{kind.name}`" not in text}
    assert missing == {"method-not-allowed"}


def test_the_live_part_is_the_same_everywhere() -> None:
    assert LIVE_OF_SCHEDULE.keys() == LIVE


def test_schemas_have_their_bounds() -> None:
    body = DOCUMENT["components"]["schemas"]["ScheduleBody"]
    assert body["additionalProperties"] is False
    assert body["required"] == ["task"]
    (priority, _) = body["properties"]["priority"]["anyOf"]
    assert (priority["minimum"], priority["maximum"]) == (-100, 100)
    schema = validator({"$ref": "#/components/schemas/ScheduleBody"})
    task = {"command": "x"}
    assert schema.is_valid({"cron": "* * * * *", "task": task})
    assert not schema.is_valid({"task": task})
    assert not schema.is_valid({"cron": "* * * * *", "every": "5m", "task": task})
    assert not schema.is_valid({"every": "5 m", "task": task})


def test_every_word_of_the_model_is_described_and_taken(admin: Caller) -> None:
    text = json.dumps(DOCUMENT)
    for word in (*RunState, *AttemptState, *Reason, *Origin):
        assert f'"{word}"' in text
    assert "|expired|" in text
    caller = new_world(admin).caller
    for state in RunState:
        assert caller("GET", f"/runs?state={state}").status_code == 200
    unknown = caller("GET", "/runs?state=undone")
    assert kind(unknown) == (400, "invalid-parameter")


def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    whole = {**schema, "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole)


def test_every_answer_is_as_described(admin: Caller) -> None:
    world = new_world(admin)
    lease = world.worker.lease()
    by_hand = {
        "report": {"token": lease["token"], "state": "running"},
        "reports": {
            "reports": [
                {"run": lease["run"], "token": lease["token"], "state": "failed"},
                {"run": "run_x", "token": 1},
            ]
        },
        "lease": {"session": world.worker.session, "seq": 9, "slots": 1, "wait": "0s"},
        "renew": {"session": world.worker.session},
    }
    other = world.caller.made("/schedules/a/run")["id"]
    seen: set[str] = set()
    order = sorted(ROUTES, key=lambda route: _RANK.get(route.operation, 5))
    for route in order:
        caller = world.worker.call if "worker" in _roles(route) else world.caller
        body = by_hand.get(route.operation, BODIES.get(route.operation))
        path = world.path(route)
        if route.operation == "cancel_run":
            path = f"/runs/{other}/cancel"
        if route.operation == "delete_group":
            # The world's own has the schedule that was made in it.
            path = f"/groups/{unique('g')}"
            assert world.caller("PUT", path, {}).status_code == 201
        if route.operation == "delete_tenant":
            path = f"/tenants/{admin.new_tenant().headers['X-Crony-Tenant']}"
        answer = caller(
            route.method,
            path,
            body,
            headers=HEADERS.get(route.operation),
            data=DATA.get(route.operation),
        )
        assert answer.status_code == route.status, (route.operation, answer.text)
        if route.answer is not None:
            schema = validator({"$ref": f"#/components/schemas/{route.answer}"})
            schema.validate(answer.json())
            seen.add(route.answer)
    assert seen == {route.answer for route in ROUTES if route.answer}


#: Reports come before what ends or removes; a tenant goes last.
_RANK = {
    "report": 1,
    "reports": 2,
    "cancel_run": 6,
    "retry_run": 3,
    # While the schedule is the one that its body fits.
    "backfill_schedule": 4,
    "delete_schedule": 7,
    # Nothing of the tenant is leased in between.
    "hold_tenant": 7,
    "activate_tenant": 8,
    "delete_worker": 8,
    "delete_group": 8,
    "delete_profile": 8,
    "delete_webhook": 8,
    "delete_key": 8,
    "delete_tenant": 9,
}


def _roles(route: Route) -> set[str]:
    return {role.value for role in route.roles}


def test_the_reference_page_is_current() -> None:
    written = Path(__file__).parents[3] / "docs" / "reference" / "api.md"
    assert written.read_text() == page(), "run: python -m crony.api.openapi > " + str(
        written
    )
