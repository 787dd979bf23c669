"""Roles: each key may do what its role is for, on every route, and no more."""

from __future__ import annotations

import pytest

from crony.api.routes import PUBLIC, ROUTES, Route
from crony.model.worker import Role
from tests.integration.api.caller import Caller, kind, pointers
from tests.integration.api.walk import World, new_world

ROLES = [role for role in Role if role is not Role.ADMIN]


@pytest.fixture(scope="module")
def world(admin: Caller) -> World:
    return new_world(admin)


@pytest.fixture(scope="module")
def keys(world: World) -> dict[Role, Caller]:
    keys = {
        role: world.caller.as_role(role.value)
        for role in ROLES
        if role is not Role.WORKER
    }
    return {**keys, Role.WORKER: world.worker.call, Role.ADMIN: world.caller}


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
def test_a_role_reaches_its_own_routes_alone(
    keys: dict[Role, Caller], world: World, role: Role
) -> None:
    for route in ROUTES:
        # A header that no operation takes: nothing is changed, whoever may call.
        answer = keys[role](
            route.method,
            world.path(route),
            headers={"Accept": "image/png"},
        )
        open_to = route.roles == PUBLIC or role in route.roles
        assert kind(answer) == ((406, "not-acceptable") if open_to else (403, "role"))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_without_a_key_only_public_routes_answer(
    stranger: Caller, world: World, route: Route
) -> None:
    answer = stranger(route.method, world.path(route))
    if route.roles == PUBLIC:
        assert answer.status_code == 200
    else:
        assert kind(answer) == (401, "no-key")


def test_a_deleted_key_stops_working_at_once(tenant: Caller) -> None:
    made = tenant.made("/keys", {"role": "viewer", "description": "short-lived"})
    viewer = Caller(tenant.url, made["key"])
    assert viewer("GET", "/schedules").status_code == 200
    assert tenant.got(f"/keys/{made['id']}")["description"] == "short-lived"
    assert "key" not in tenant.got(f"/keys/{made['id']}")
    assert tenant("DELETE", f"/keys/{made['id']}").status_code == 204
    assert kind(viewer("GET", "/schedules")) == (401, "no-key")


def test_an_operator_can_not_raise_itself(tenant: Caller) -> None:
    operator = tenant.as_role("operator")
    assert kind(operator("POST", "/keys", {"role": "admin"})) == (403, "role")
    assert operator("POST", "/keys", {"role": "operator"}).status_code == 201
    admin_key = tenant.made("/keys", {"role": "admin"})["id"]
    assert kind(operator("DELETE", f"/keys/{admin_key}")) == (403, "role")


def test_a_key_of_a_worker_comes_from_registering_alone(tenant: Caller) -> None:
    assert pointers(tenant("POST", "/keys", {"role": "worker"})) == {"/role"}
    past = {"role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}
    assert pointers(tenant("POST", "/keys", past)) == {"/expires_at"}


def test_an_enroll_key_registers_and_nothing_else(tenant: Caller) -> None:
    enroll = tenant.as_role("enroll")
    worker = enroll.worker()
    assert worker.poll().status_code == 200
    assert kind(enroll("GET", "/workers")) == (403, "role")
