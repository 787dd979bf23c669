"""One process of the service, from its start after the fork to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from crony import errors, log
from crony.api.app import App, create_app
from crony.api.metrics import Metrics
from crony.api.node import Node
from crony.api.polls import Hub
from crony.api.pool import Pool
from crony.api.rate import Rates
from crony.api.streams import Streams
from crony.api.tails import Tails
from crony.clock import StoreClock
from crony.config import ADMIN_KEY, Settings
from crony.scheduler.service import Service, webhook_rules
from crony.scheduler.timing import Timing
from crony.scheduler.wakes import Wakes
from crony.storage import open_store
from crony.storage.contract import Store

_log = log.get(__name__)

T = TypeVar("T")

#: Seconds from try to try of a start that waits for the store.
_AGAIN = 0.5


class Lifespan:
    """What starts with the process's event loop, and ends with it.

    Nothing durable depends on the end: a process may be killed at any point.
    """

    def __init__(self, node: Node, *, home: Path) -> None:
        self._node = node
        self._home = home

    async def process_startup(self, scope: object, event: object) -> None:
        """Listen for wakes, and start to tick; the store is open already."""
        service = self._node.service
        self._node.polls.listen(service.wakes)
        self._node.tails.listen(service.wakes)
        self._node.streams.listen(service.wakes)
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        service = self._node.service
        key_file = self._home / ADMIN_KEY
        if not patiently(partial(service.keys.ensure_admin, key_file)):
            _log.info(
                "the store's admin key is elsewhere",
                file=str(key_file),
                detail="copy the file from the host whose node was started first, or "
                "make another key here: crony-api --new-admin-key",
            )
        service.start()
        for promise in patiently(service.store.cannot_promise):
            _log.warning("the store can't promise everything", what=promise)
        _log.info("ready")

    async def process_shutdown(self, scope: object, event: object) -> None:
        """Give the work of ticking up, so that another process takes it at once."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._node.service.stop()
        self._node.pool.close()
        self._node.service.store.close()
        _log.info("stopped")


def patiently(call: Callable[[], T]) -> T:
    """Return what ``call`` does, once the store answers.

    A process that takes the place of one that died meanwhile must not end the others:
    gunicorn ends them all where one can't start.
    """
    while True:
        try:
            return call()
        except errors.Unavailable as exc:
            _log.warning("the start waits for the store", detail=str(exc))
            time.sleep(_AGAIN)


def build(settings: Settings, *, home: Path) -> App:
    """Open the store and put a process of the service together; after a fork."""
    store = open_store(settings.storage.url, home=home)
    if settings.storage.url.startswith("memory:"):
        # It begins empty in every process, so here is where it is brought up.
        store.migrate()
    patiently(store.open)
    wakes = Wakes(home / "run", store=store)
    node = patiently(partial(node_of, store, settings, wakes=wakes))
    app = create_app(node)
    app.add_middleware(Lifespan(node, home=home))
    return app


def node_of(store: Store, settings: Settings, *, wakes: Wakes) -> Node:
    """Return what the requests of a process share, over an open store."""
    lease_ttl = settings.api.lease_ttl
    timing = Timing(
        lease_ttl=lease_ttl,
        # A worker without runs is heard of by its polls alone: one that waited for
        # longer would count as lost.
        poll_wait=min(settings.api.poll_wait, lease_ttl / 2),
        lease_ahead=settings.api.lease_ahead,
    )
    service = Service(
        store,
        StoreClock(store.now),
        timing=timing,
        wakes=wakes,
        rules=webhook_rules(settings.api.webhook_allow),
    )
    polls, pool = Hub(), Pool(settings.api.threads)
    return Node(
        service=service,
        settings=settings,
        pool=pool,
        polls=polls,
        tails=Tails(),
        streams=Streams(lambda tenant: pool.run(service.events.newest, tenant)),
        rates=Rates(),
        metrics=Metrics(waiting=lambda: len(polls), hears_all=lambda: wakes.hears_all),
    )
