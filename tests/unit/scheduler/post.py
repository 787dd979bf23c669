"""The webhooks of a stage, and endpoints that do not answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from crony.model.event import Event
from crony.model.webhook import Delivery, Webhook
from crony.scheduler.dispatching import Dispatcher
from crony.scheduler.service import webhook_rules
from crony.scheduler.webhooks import Webhooks
from crony.storage.contract import Page
from tests.unit.scheduler.stage import TENANT, Stage

LOOPBACK = webhook_rules(["127.0.0.1/32"])


@dataclass
class Post:
    """The webhooks of a stage, and somebody who dispatches by hand."""

    stage: Stage
    webhooks: Webhooks
    made: list[Dispatcher] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    def dispatcher(self, holder: str = "a") -> Dispatcher:
        """Return somebody new who dispatches."""
        made = Dispatcher(
            self.stage.store,
            self.stage.clock,
            wakes=self.stage.wakes,
            rules=LOOPBACK,
            holder=holder,
            fraction=lambda: 0.0,
        )
        self.made.append(made)
        return made

    def put(self, name: str, url: str, *types: str, paused: bool = False) -> Webhook:
        """Make or change a webhook."""
        webhook, _ = self.webhooks.put(
            TENANT,
            name,
            url=url,
            types=types,
            description="",
            paused=paused,
            secret=None,
        )
        return webhook

    def happen(self, times: int = 1) -> None:
        """Lead to events of the type worker.registered."""
        for _ in range(times):
            self.stage.worker(name=f"host-{next(self.names)}")

    def carry(self, dispatcher: Dispatcher, *, rounds: int = 1) -> None:
        """Do rounds, each to the end of what it started."""
        for _ in range(rounds):
            dispatcher.step(self.stage.clock.now())
            assert dispatcher.settle(within=30)

    def deliveries(self, name: str) -> list[Delivery]:
        """Return deliveries, the newest event first."""
        page: Page[Delivery] = self.webhooks.deliveries(
            TENANT, name, limit=1000, after=None
        )
        return list(page.items)

    def events(self) -> list[Event]:
        """Return all events, in order."""
        return list(self.stage.store.events.page(TENANT, after=0, limit=1000))


@contextmanager
def posting(stage: Stage) -> Iterator[Post]:
    """Give the webhooks of a stage; whoever dispatched stops at the end."""
    post = Post(
        stage,
        Webhooks(stage.store, stage.clock, wakes=stage.wakes, rules=LOOPBACK),
    )
    try:
        yield post
    finally:
        for dispatcher in post.made:
            dispatcher.stop()


@contextmanager
def silent() -> Iterator[str]:
    """Take connections, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def refusing() -> str:
    """Return an address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/"
