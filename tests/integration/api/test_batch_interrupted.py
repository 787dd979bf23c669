"""A batch that breaks off in the middle, or is refused in part, in steps of two."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from typing import Any

import falcon.testing
import pytest

from crony import config, errors
from crony.api.app import create_app
from crony.api.lifespan import node_of
from crony.api.node import Node
from crony.api.resources import batch
from crony.model.worker import Role
from crony.scheduler import idempotency
from crony.scheduler.wakes import Wakes
from crony.storage import open_store
from crony.testing import factories
from tests.integration.api.caller import ECHO

NAMELESS = {"cron": "0 0 1 1 *", "task": ECHO}


@pytest.fixture
def node() -> Iterator[Node]:
    store = open_store("memory://")
    store.migrate()
    store.open()
    settings = config.load(path=None, environ={}, overrides={})
    node = node_of(store, settings, wakes=Wakes())
    yield node
    node.pool.close()
    store.close()


def test_a_repeat_makes_what_is_left_and_nothing_twice(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = node.service.keys.create("default", role=Role.ADMIN)
    client = falcon.testing.TestClient(create_app(node))
    items = [NAMELESS, {**NAMELESS, "name": "a"}, NAMELESS, {**NAMELESS, "name": "b"}]

    def send() -> Any:
        return client.simulate_post(
            "/schedules:batch",
            json={"schedules": items},
            headers={"Authorization": f"Bearer {key}", "Idempotency-Key": "k"},
        )

    create_all, left = node.service.store.schedules.create_all, iter(range(1))

    def break_off(*args: Any, **more: Any) -> Any:
        made = create_all(*args, **more)
        if next(left, None) is None:
            # It is done, and the answer is lost.
            raise errors.StoreUnavailable("gone", retry_after=timedelta(seconds=1))
        return made

    with monkeypatch.context() as broken:
        broken.setattr(batch, "MOST", 2)
        broken.setattr(node.service.store.schedules, "create_all", break_off)
        assert send().status_code == 503
    listed = client.simulate_get(
        "/schedules", headers={"Authorization": f"Bearer {key}"}
    )
    before = [item["id"] for item in listed.json["items"]]
    assert len(before) == 4

    # The claim of whoever broke off is anybody's after a while.
    monkeypatch.setattr(idempotency, "ABANDONED", timedelta(0))
    results = send().json["results"]
    assert [result["status"] for result in results] == [201] * 4
    assert sorted(result["schedule"]["id"] for result in results) == sorted(before)
    assert send().json["results"] == results


@pytest.fixture
def send(node: Node, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return what sends a batch, two of which are stored in one step."""
    _, key = node.service.keys.create("default", role=Role.ADMIN)
    client = falcon.testing.TestClient(create_app(node))
    monkeypatch.setattr(batch, "MOST", 2)

    def sent(*items: Any) -> Any:
        answer = client.simulate_post(
            "/schedules:batch",
            json={"schedules": items},
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.status_code == 200
        return answer.json["results"]

    return sent


def test_what_stops_a_step_is_the_answer_to_each_item_of_it(
    node: Node, send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    create_all, first = node.service.store.schedules.create_all, iter([True])

    def refuse(*args: Any, **more: Any) -> Any:
        if next(first, False):
            raise errors.Conflict("not now")
        return create_all(*args, **more)

    monkeypatch.setattr(node.service.store.schedules, "create_all", refuse)
    results = send({}, NAMELESS, {**NAMELESS, "name": "a"}, {**NAMELESS, "name": "b"})
    assert [result["status"] for result in results] == [422, 409, 409, 201]
    assert results[3]["schedule"]["name"] == "b"


def test_faults_that_are_found_when_an_item_is_stored_say_where_it_is(
    node: Node, send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = node.service.store
    assert store.groups.put(factories.make_group(name="brief"), expected=None)[0]
    create_all = store.schedules.create_all

    def too_late(*args: Any, **more: Any) -> Any:
        store.groups.delete("default", "brief", expected=1)
        return create_all(*args, **more)

    monkeypatch.setattr(store.schedules, "create_all", too_late)
    results = send(NAMELESS, {**NAMELESS, "group": "brief"})
    assert [result["status"] for result in results] == [201, 422]
    (fault,) = results[1]["problem"]["errors"]
    assert fault["pointer"] == "/schedules/1/group"


def test_names_are_looked_up_for_the_next_items_alone(
    node: Node, send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[list[str]] = []
    named = node.service.store.schedules.named

    def look(tenant: str, names: Collection[str]) -> Any:
        looked.append(sorted(names))
        return named(tenant, names)

    monkeypatch.setattr(node.service.store.schedules, "named", look)
    results = send(*({**NAMELESS, "name": name} for name in "abcab"))
    assert [result["status"] for result in results] == [201, 201, 201, 200, 200]
    assert looked == [["a", "b"], ["c"]]
