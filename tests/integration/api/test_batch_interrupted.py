"""A batch that breaks off in the middle is finished by its repeat."""

from __future__ import annotations

from collections.abc import Iterator
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
