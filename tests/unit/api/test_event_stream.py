"""A stream of events between events: it breathes, and ends when it has to."""

from __future__ import annotations

import asyncio
import json
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
from crony.model import ids
from crony.model.worker import Role
from crony.scheduler.wakes import Wakes
from crony.storage import open_store


class Reader:
    """Somebody who reads a stream."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._requests = [{"type": "http.request", "body": b"", "more_body": False}]
        self.text = ""
        #: Cleared, it takes nothing more, as when its buffers are full.
        self.takes = asyncio.Event()
        self.takes.set()

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
        await self.takes.wait()
        await self._chunks.put(event.get("body", b""))
        if not event.get("more_body", False):
            await self._chunks.put(None)

    async def until(self, wanted: str) -> None:
        """Read until this came."""
        while wanted not in self.text:
            chunk = await self._chunks.get()
            assert chunk is not None, self.text
            self.text += chunk.decode()

    async def breaths(self, number: int) -> None:
        """Read until so many comments came, each with a position."""
        while self.text.count("\n:\nid: evt_") < number:
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
        await reader.breaths(3)
        assert reader.text.startswith("retry: 1000\n: open\nid: evt_")
        assert "data:" not in reader.text

    reading(node, scene)


def test_who_is_cut_off_before_any_event_goes_on_from_where_the_stream_began(
    node: Node,
) -> None:
    async def scene(reader: Reader, key: str) -> None:
        await reader.breaths(1)
        first = reader.text.partition("id: ")[2].partition("\n")[0]
        await asyncio.to_thread(register, node, "missed")
        after = ids.event_sequence(first)
        look = node.service.events.look("default", after=after, limit=10)
        assert [event.type for event in look.events] == ["worker.registered"]

    reading(node, scene)


def test_a_stream_breathes_also_while_others_things_happen(node: Node) -> None:
    async def scene(reader: Reader, key: str) -> None:
        await reader.until(": open\n")
        await asyncio.to_thread(register, node, "a")
        await reader.until("worker.registered")
        await reader.until("}\n\n:\nid: ")

    reading(node, scene)


def test_a_stream_ends_when_its_key_is_deleted(node: Node) -> None:
    async def scene(reader: Reader, key: str) -> None:
        await reader.breaths(1)
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
        await reader.breaths(1)
        node.streams.close()
        await reader.rest()

    reading(node, scene)


def test_a_stream_whose_events_were_pruned_ends_rather_than_skip_them(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = node.service.events.look

    def too_late(tenant: str, **wanted: Any) -> Any:
        tomorrow = node.now() + timedelta(days=1)
        node.service.store.events.prune(before=tomorrow, limit=10)
        return look(tenant, **wanted)

    async def scene(reader: Reader, key: str) -> None:
        await reader.breaths(1)
        monkeypatch.setattr(node.service.events, "look", too_late)
        await asyncio.to_thread(register, node, "a")
        assert "worker.registered" not in await reader.rest()

    reading(node, scene)


def test_a_store_that_is_away_for_a_while_ends_no_stream(node: Node) -> None:
    store = node.service.store

    async def scene(reader: Reader, key: str) -> None:
        await reader.breaths(1)
        store.close()
        await reader.breaths(4)
        store.open()
        await asyncio.to_thread(register, node, "a")
        await reader.until("worker.registered")

    reading(node, scene)


def test_many_events_come_in_order_and_none_twice(node: Node) -> None:
    async def scene(reader: Reader, key: str) -> None:
        await reader.until(": open\n")
        for number in range(300):
            register(node, f"w-{number}")
        await reader.until('"w-299"')
        told = [line for line in reader.text.splitlines() if line.startswith("data:")]
        names = [json.loads(line[5:])["data"]["name"] for line in told]
        assert names == [f"w-{number}" for number in range(300)]

    reading(node, scene)


def test_for_a_client_that_takes_nothing_no_more_is_read_than_it_may_hold(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    look = node.service.events.look

    def counted(tenant: str, **wanted: Any) -> Any:
        found = look(tenant, **wanted)
        looks.append(len(found.events))
        return found

    async def scene(reader: Reader, key: str) -> None:
        await reader.until(": open\n")
        monkeypatch.setattr(node.service.events, "look", counted)
        reader.takes.clear()
        for number in range(450):
            register(node, f"w-{number}")
        # Another one, which takes what it gets, shows that time goes by.
        other = node.streams.enter("default")
        await other.wait()
        other.clear()
        await asyncio.to_thread(register, node, "last")
        await other.wait()
        assert sum(looks) <= 100
        reader.takes.set()
        await reader.until('"last"')
        assert sum(looks) == 451

    reading(node, scene)
