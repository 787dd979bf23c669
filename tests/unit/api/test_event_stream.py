"""A stream of events between events: it breathes, and ends when it has to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any

import falcon.testing
import pytest

from crony import config
from crony.api.app import create_app
from crony.api.lifespan import node_of
from crony.api.node import Node
from crony.api.resources import events
from crony.model.worker import Role
from crony.scheduler.wakes import Wakes
from crony.storage import open_store


class Reader:
    """Somebody who reads a stream."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._requests = [{"type": "http.request", "body": b"", "more_body": False}]
        self.text = ""

    async def receive(self) -> Any:
        """Hand over the request; the client stays."""
        if self._requests:
            return self._requests.pop()
        return await asyncio.get_running_loop().create_future()

    async def send(self, event: Any) -> None:
        """Take a part of the answer."""
        if event["type"] == "http.response.start":
            assert event["status"] == 200
            return
        await self._chunks.put(event.get("body", b""))
        if not event.get("more_body", False):
            await self._chunks.put(None)

    async def until(self, wanted: str) -> None:
        """Read until this came."""
        while wanted not in self.text:
            chunk = await self._chunks.get()
            assert chunk is not None, self.text
            self.text += chunk.decode()

    async def rest(self) -> str:
        """Read to the end."""
        while (chunk := await self._chunks.get()) is not None:
            self.text += chunk.decode()
        return self.text


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setattr(events, "_BREATH", 0.05)
    settings = config.load(path=None, environ={}, overrides={})
    store = open_store("memory://")
    store.migrate()
    store.open()
    node = node_of(store, settings, wakes=Wakes())
    yield node
    node.pool.close()
    store.close()


def reading(
    node: Node,
    scene: Callable[[Reader, str], Coroutine[Any, Any, None]],
    *,
    expires_in: timedelta | None = None,
) -> None:
    """Open a stream with a key of its own, and play a scene."""
    until = None if expires_in is None else node.now() + expires_in
    key, secret = node.service.keys.create(
        "default", role=Role.VIEWER, expires_at=until
    )

    async def run() -> None:
        node.streams.listen(node.service.wakes)
        reader = Reader()
        headers = {"Authorization": f"Bearer {secret}"}
        scope = falcon.testing.create_scope(path="/events", headers=headers)
        answering = create_app(node)(scope, reader.receive, reader.send)
        async with asyncio.timeout(30):
            task = asyncio.create_task(answering)
            await scene(reader, key.id)
            task.cancel()

    asyncio.run(run())


def register(node: Node, name: str) -> None:
    node.service.workers.register(
        "default",
        name=name,
        machine="3fa9",
        queues=["default"],
        labels={},
        slots=1,
        sandbox_level="full",
        version="",
    )


def test_a_silent_stream_breathes(node: Node) -> None:
    async def scene(reader: Reader, key: str) -> None:
        await reader.until(":\n\n:\n\n:\n\n")
        assert reader.text.startswith("retry: 1000\n: open\n\n")
        assert "data:" not in reader.text

    reading(node, scene)


def test_a_stream_breathes_also_while_others_things_happen(node: Node) -> None:
    async def scene(reader: Reader, key: str) -> None:
        await reader.until(": open\n\n")
        await asyncio.to_thread(register, node, "a")
        await reader.until("worker.registered")
        await reader.until("}\n\n:\n\n")

    reading(node, scene)


def test_a_stream_ends_when_its_key_is_deleted(node: Node) -> None:
    async def scene(reader: Reader, key: str) -> None:
        await reader.until(":\n\n")
        await asyncio.to_thread(node.service.keys.delete, "default", key)
        await asyncio.to_thread(register, node, "a")
        await reader.rest()

    reading(node, scene)
    assert len(node.streams) == 0


def test_a_stream_ends_when_its_key_expires(node: Node) -> None:
    async def scene(reader: Reader, key: str) -> None:
        await reader.rest()

    reading(node, scene, expires_in=timedelta(seconds=0.3))


def test_a_stream_ends_with_the_service(node: Node) -> None:
    async def scene(reader: Reader, key: str) -> None:
        await reader.until(":\n\n")
        node.streams.close()
        await reader.rest()

    reading(node, scene)


def test_a_stream_whose_events_were_pruned_ends_rather_than_skip_them(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(reader: Reader, key: str) -> None:
        await reader.until(":\n\n")
        node.service.wakes.subscribe(
            lambda _: (
                node.service.store.events.prune(
                    before=node.now() + timedelta(days=1), limit=10
                )
                and None
            )
        )
        await asyncio.to_thread(register, node, "a")
        assert "worker.registered" not in await reader.rest()

    reading(node, scene)


def test_a_store_that_is_away_for_a_while_ends_no_stream(node: Node) -> None:
    store = node.service.store

    async def scene(reader: Reader, key: str) -> None:
        await reader.until(":\n\n")
        store.close()
        await reader.until(":\n\n:\n\n:\n\n")
        store.open()
        await asyncio.to_thread(register, node, "a")
        await reader.until("worker.registered")

    reading(node, scene)
