"""Tenants: nothing is visible across them, on any route."""

from __future__ import annotations

import pytest

from crony.api.routes import ROUTES, Route
from crony.model.worker import Role
from tests.integration.api.caller import Caller, kind, pointers, unique
from tests.integration.api.walk import BODIES, World, new_world

WITH_ID = [route for route in ROUTES if "{" in route.path]
LISTS = [
    route
    for route in ROUTES
    if (route.answer or "").endswith("Page") and "{" not in route.path
]


@pytest.fixture(scope="module")
def ours(admin: Caller) -> World:
    return new_world(admin)


@pytest.fixture(scope="module")
def theirs(admin: Caller) -> World:
    return new_world(admin)


def caller_for(world: World, route: Route) -> Caller:
    """Return who may use the route in the tenant, and is no admin."""
    if Role.WORKER in route.roles:
        return world.worker.call
    if route.operation == "delete_tenant":
        return world.caller
    return world.caller.as_role("operator")


@pytest.mark.parametrize("route", WITH_ID, ids=lambda route: route.operation)
def test_another_tenants_thing_is_not_found(
    ours: World, theirs: World, route: Route
) -> None:
    if route.operation == "delete_tenant":
        # For admins alone, who see every tenant.
        answer = ours.caller.as_role("operator")("DELETE", theirs.path(route))
        assert kind(answer) == (403, "role")
        return
    answer = caller_for(ours, route)(
        route.method, theirs.path(route), BODIES.get(route.operation)
    )
    if route.operation in ("put_group", "put_profile", "put_webhook"):
        # What is made here has that name too, and is another.
        assert answer.status_code == 201
        assert theirs.caller.got(theirs.path(route))["revision"] == 1
        assert ours.caller("DELETE", theirs.path(route)).status_code == 204
        return
    if route.operation == "put_schedule":
        # An id that nobody has here is no name either.
        assert kind(answer)[0] == 404
    assert kind(answer) == (404, "not-found")


@pytest.mark.parametrize("route", WITH_ID, ids=lambda route: route.operation)
def test_the_owner_finds_it(admin: Caller, route: Route) -> None:
    world = new_world(admin)
    if route.operation == "report":
        lease = world.worker.lease()
        assert lease["run"] == world.run
    if route.operation == "retry_run":
        world.caller.made(f"/runs/{world.run}/cancel")
    if route.operation == "delete_tenant":
        assert kind(world.caller("DELETE", world.path(route))) == (409, "in-use")
        world.caller("DELETE", f"/schedules/{world.schedule}")
        world.caller("DELETE", f"/workers/{world.worker.id}")
        answer = admin("DELETE", world.path(route))
    else:
        answer = caller_for(world, route)(
            route.method, world.path(route), BODIES.get(route.operation)
        )
    assert answer.status_code == route.status, answer.text


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.operation)
def test_lists_hold_the_callers_tenant_alone(
    ours: World, theirs: World, route: Route
) -> None:
    mine = things(ours.caller, route)
    others = things(theirs.caller, route)
    assert mine
    assert others
    assert not mine & others
    operator = ours.caller.as_role("operator")
    assert things(operator, route) >= mine


def things(caller: Caller, route: Route) -> set[str]:
    """Return what a list holds, by id, or by tenant and name."""
    return {
        item.get("id") or f"{item['tenant']}/{item['name']}"
        for item in caller.got(route.path)["items"]
    }


def test_names_are_each_tenants_own(ours: World, theirs: World) -> None:
    assert ours.caller.got("/schedules/a")["id"] == ours.schedule
    assert theirs.caller.got("/schedules/a")["id"] == theirs.schedule


def test_stats_and_metrics_count_one_tenant(ours: World) -> None:
    stats = ours.caller.got("/stats")
    assert stats["schedules"]["active"] == 1
    assert stats["workers"]["online"] == 1
    viewer = ours.caller.as_role("viewer")
    text = viewer("GET", "/metrics").text
    assert 'crony_schedules{state="active"} 1.0' in text
    # What the process does is for all tenants, so it is for an admin.
    assert "crony_requests_total" not in text


def test_only_an_admin_may_name_another_tenant(ours: World, theirs: World) -> None:
    operator = ours.caller.as_role("operator")
    operator.headers = {"X-Crony-Tenant": theirs.name}
    assert kind(operator("GET", "/schedules")) == (403, "role")
    operator.headers = {"X-Crony-Tenant": ours.name}
    assert operator("GET", "/schedules").status_code == 200
    nobody = ours.caller.in_tenant("nobody-here")
    assert kind(nobody("GET", "/schedules")) == (404, "not-found")


def test_a_tenant_is_made_changed_and_removed(admin: Caller) -> None:
    path = f"/tenants/{unique('t')}"
    assert kind(admin("GET", path)) == (404, "not-found")
    made = admin("PUT", path, {"quotas": {"schedules": 3}})
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert made.json()["quotas"]["schedules"] == 3
    assert made.json()["usage"] == {"schedules": 0, "workers": 0, "pending_runs": 0}
    same = admin("PUT", path, admin.got(path))
    assert (same.status_code, same.json()["revision"]) == (200, 1)
    changed = admin("PUT", path, {"quotas": {"schedules": None}})
    assert (changed.json()["revision"], changed.json()["quotas"]["schedules"]) == (
        2,
        None,
    )
    late = admin("PUT", path, {}, headers={"If-Match": '"1"'})
    assert kind(late) == (412, "revision")
    wrong = admin("PUT", path, {"quotas": {"schedules": -1}, "profile": "none"})
    assert pointers(wrong) == {"/quotas/schedules", "/profile"}
    assert admin("DELETE", path).status_code == 204
    assert kind(admin("DELETE", "/tenants/default")) == (409, "in-use")


def test_a_tenants_profile_limit_and_retention_hold_for_its_schedules(
    tenant: Caller,
) -> None:
    path = f"/tenants/{tenant.headers['X-Crony-Tenant']}"
    empty = {"runs": None, "age": None, "log": None}
    read = tenant.got(path)
    assert (read["profile"], read["max_concurrent"]) == (None, None)
    assert read["retention"] == empty
    tenant("PUT", "/profiles/slow", {"max_runtime": "6h", "retention": {"runs": 5}})
    body = {"profile": "slow", "max_concurrent": 3, "retention": {"age": "30d"}}
    put = tenant("PUT", path, body)
    assert (put.status_code, put.json()["revision"]) == (200, 2)
    assert {name: put.json()[name] for name in body} == {
        **body,
        "retention": {**empty, "age": "30d"},
    }
    assert tenant("PUT", path, tenant.got(path)).json()["revision"] == 2
    policy = tenant.schedule()["policy"]
    assert policy["max_runtime"] == {"value": "6h", "from": "tenant"}
    assert policy["retention"] == {
        "value": {"runs": 5, "age": "30d", "log": "1M"},
        "from": "tenant",
    }
    in_use = tenant("DELETE", "/profiles/slow")
    assert kind(in_use) == (409, "in-use")
    assert "tenant" in in_use.json()["detail"]
    wrong = {"max_concurrent": 0, "retention": {"age": "1 day", "runz": 1}}
    assert pointers(tenant("PUT", path, wrong)) == {
        "/max_concurrent",
        "/retention/age",
        "/retention/runz",
    }


def test_an_operator_sets_quotas_but_makes_no_tenant(admin: Caller) -> None:
    world = new_world(admin)
    operator = world.caller.as_role("operator")
    body = {"quotas": {"requests_per_second": 1000}}
    assert operator("PUT", f"/tenants/{world.name}", body).status_code == 200
    assert kind(operator("PUT", f"/tenants/{unique('t')}", body))[0] == 404


def test_a_tenant_that_sends_too_much_is_told_when_to_go_on(admin: Caller) -> None:
    name = unique("t")
    admin("PUT", f"/tenants/{name}", {"quotas": {"requests_per_second": 2}})
    tenant = admin.in_tenant(name)
    answers = [tenant("GET", "/stats") for _ in range(12)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert kind(refused[0]) == (429, "rate")
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert admin("GET", "/stats").status_code == 200
