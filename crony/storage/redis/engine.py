"""Connections, and calls of scripts.

A call is one script on one tenant's keys. Nothing is tried again here, save a script
that the server did not know, and so did not begin: whoever called knows what is
harmless to repeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from crony import errors
from crony.storage.codec import instant_in
from crony.storage.redis import layout
from crony.storage.redis.faults import closed, ours, translated
from crony.storage.redis.lua import Script, scripts
from crony.storage.redis.refusals import check
from crony.storage.redis.values import packed, unpacked

#: Seconds that a connection, and an answer, may take.
CONNECT_WITHIN = 3.0
ANSWER_WITHIN = 10.0
#: Connections of one process: a thread has one at a time.
_MOST = 64

#: What a script is given, by name, and what it answers.
Arguments = Mapping[str, object]
Reply = Any


class Engine:
    """One server, with the connections of this process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: redis.Redis | None = None

    def connect(self) -> None:
        """Begin to hand out connections; the server has to answer."""
        pool = redis.BlockingConnectionPool.from_url(
            self._url,
            max_connections=_MOST,
            timeout=ANSWER_WITHIN,
            socket_connect_timeout=CONNECT_WITHIN,
            socket_timeout=ANSWER_WITHIN,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            client_name="crony",
        )
        client = redis.Redis(connection_pool=pool)
        try:
            with translated():
                client.ping()
        except errors.CronyError:
            client.close()
            pool.disconnect()
            raise
        self._client = client

    def close(self) -> None:
        """Give all connections back."""
        client, self._client = self._client, None
        if client is not None:
            # A verb that is under way in another thread comes to its end.
            client.connection_pool.disconnect(inuse_connections=False)

    @property
    def client(self) -> redis.Redis:
        """The library's client, for what is no script; see ``faults.translated``."""
        if self._client is None:
            raise closed()
        return self._client

    def now(self) -> datetime:
        """Return the server's time."""
        with translated():
            seconds, microseconds = self.client.time()
        return instant_in(seconds * 1000 + microseconds // 1000)

    def call(self, name: str, tenant: str, /, **arguments: object) -> Reply:
        """Call a script on a tenant's keys, or on those of a space of ``layout``.

        Raises the error that the script answers, if it does.
        """
        script = scripts()[name]
        given = (script.digest, 1, layout.prefix(tenant), packed(arguments))
        with translated():
            # PERF: a pipeline of one costs twice as much.
            try:
                answer = self.client.evalsha(*given)
            except exceptions.NoScriptError:
                self.client.script_load(script.source)
                answer = self.client.evalsha(*given)
        return check(unpacked(cast("bytes", answer)))

    def each(self, name: str, calls: Sequence[tuple[str, Arguments]]) -> list[Reply]:
        """Call a script once for each (tenant, arguments), on one way there and back.

        Each is atomic by itself; one that is refused answers so (``refusals``).
        """
        script = scripts()[name]
        with translated():
            answers = self._send(script, calls)
            unknown = [n for n, a in enumerate(answers) if _is_unknown(a)]
            if unknown:
                self.client.script_load(script.source)
                again = self._send(script, [calls[n] for n in unknown])
                for n, answer in zip(unknown, again, strict=True):
                    answers[n] = answer
        for answer in answers:
            if isinstance(answer, exceptions.RedisError):
                raise ours(answer) from answer
        return [unpacked(cast("bytes", answer)) for answer in answers]

    def _send(
        self, script: Script, calls: Sequence[tuple[str, Arguments]]
    ) -> list[object]:
        with self.client.pipeline(transaction=False) as pipeline:
            for tenant, arguments in calls:
                pipeline.evalsha(
                    script.digest, 1, layout.prefix(tenant), packed(dict(arguments))
                )
            return cast("list[object]", pipeline.execute(raise_on_error=False))

    def tenants(self) -> list[str]:
        """Return the names of all tenants; one of them may be gone by now."""
        key = layout.prefix(layout.TENANTS) + "names"
        with translated():
            names = cast("list[bytes]", self.client.zrange(key, 0, -1))
        return [name.decode() for name in names]


def _is_unknown(answer: object) -> bool:
    return isinstance(answer, exceptions.NoScriptError)
