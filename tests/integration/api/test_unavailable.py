"""A store that does not answer is said to be so, on every route, and never a 500."""

from __future__ import annotations

from collections.abc import Iterator

import falcon.testing
import pytest

from crony import config
from crony.api.app import create_app
from crony.api.lifespan import node_of
from crony.api.node import Node
from crony.api.routes import ROUTES, WORK, Route
from crony.model.worker import Role
from crony.scheduler.wakes import Wakes
from crony.storage import open_store
from tests.integration.api.walk import BODIES, NO_EVENT

#: What needs no store.
WITHOUT = {"live", "openapi"}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    settings = config.load(path=None, environ={}, overrides={})
    store = open_store("memory://")
    store.migrate()
    store.open()
    node = node_of(store, settings, wakes=Wakes())
    yield node
    node.pool.close()


@pytest.fixture(scope="module")
def keys(node: Node) -> dict[str, str]:
    _, admin = node.service.keys.create("default", role=Role.ADMIN)
    worker, secret = node.service.workers.register(
        "default",
        name="w",
        machine="3fa9",
        queues=["default"],
        labels={},
        slots=1,
        sandbox_level="full",
        version="",
    )
    found = {"admin": admin, "worker": secret, "id": worker.id}
    for given in (admin, secret):
        node.service.keys.authenticate(given)
    node.service.store.close()
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_a_route_says_that_the_store_does_not_answer(
    node: Node, keys: dict[str, str], route: Route
) -> None:
    client = falcon.testing.TestClient(create_app(node))
    key = keys["worker" if route.roles == WORK else "admin"]
    answer = client.simulate_request(
        route.method,
        route.path.format(
            schedule="a",
            run="r",
            worker=keys["id"],
            key="k",
            tenant="default",
            group="g",
            profile="p",
            webhook="h",
            event=NO_EVENT,
        ),
        json=BODIES.get(route.operation),
        headers={"Authorization": f"Bearer {key}"},
    )
    if route.operation in WITHOUT:
        assert answer.status_code == 200
        return
    assert answer.status_code == 503
    assert answer.json["type"] == "urn:crony:problem:store-unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
