"""News between processes, by the server's own channels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypedDict, cast

from redis import ConnectionPool
from redis.client import PubSub

from crony.storage.redis import layout
from crony.storage.redis.engine import ANSWER_WITHIN, Engine
from crony.storage.redis.faults import translated, unavailable

#: Seconds for which nothing is asked while there are no news.
_WAIT = 0.5
#: After so many seconds of silence the server is asked whether it is there.
_SILENCE = 2.0


class _Message(TypedDict):
    type: str
    data: bytes


def tell(engine: Engine, news: bytes) -> None:
    """Carry news to all that listen now."""
    with translated():
        engine.client.publish(_channel(engine), news)


def listen(
    engine: Engine, hear: Callable[[bytes], None], *, until: Callable[[], bool]
) -> None:
    """Call ``hear`` with all news that are told from now on."""
    with translated(), _subscription(engine) as subscription:
        subscription.subscribe(_channel(engine))
        _listen(engine, subscription, hear, until)


def _listen(
    engine: Engine,
    subscription: PubSub,
    hear: Callable[[bytes], None],
    until: Callable[[], bool],
) -> None:
    heard_at, asked = time.monotonic(), False
    begun = False
    while not (begun and until()):
        # Raises when the store was closed meanwhile.
        _ = engine.client
        found = subscription.get_message(timeout=_WAIT)
        now = time.monotonic()
        if found is not None:
            heard_at, asked = now, False
            message = cast("_Message", found)
            # What was told before it is not for this listener.
            begun = begun or message["type"] == "subscribe"
            if message["type"] == "message":
                hear(message["data"])
        elif now - heard_at > ANSWER_WITHIN:
            raise unavailable("the store did not answer in time")
        elif now - heard_at > _SILENCE and not asked:
            subscription.ping()
            asked = True


@contextmanager
def _subscription(engine: Engine) -> Iterator[PubSub]:
    """Give a subscription on a connection of its own, which nobody else closes."""
    shared = engine.client.connection_pool
    pool = ConnectionPool(
        connection_class=shared.connection_class, **shared.connection_kwargs
    )
    subscription = PubSub(pool)
    try:
        yield subscription
    finally:
        subscription.close()
        pool.disconnect()


def _channel(engine: Engine) -> str:
    """Return the channel of the database: the server's are those of all of its."""
    kwargs = engine.client.connection_pool.connection_kwargs
    return f"{layout.ROOT}news:{kwargs.get('db') or 0}"
