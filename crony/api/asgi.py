"""gunicorn's native ASGI worker, made fit to face strangers.

It adds what that worker leaves open: a deadline for a request's headers (half-sent
ones stay open otherwise), a bound on connections, problems as the bodies of its own
errors, and an end that takes no longer than what is being answered: waiting polls are
answered and idle connections closed at once.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol  # type: ignore[import-untyped]  # it has no types
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # it has no types
from gunicorn.workers import gasgi  # type: ignore[import-untyped]  # it has no types

from crony.api import problems
from crony.api.app import App
from crony.api.request import new_number

_KINDS = {
    kind.status: kind
    for kind in (
        problems.TIMEOUT,
        problems.LONG_ADDRESS,
        problems.LARGE_HEADERS,
        problems.INTERNAL,
        problems.CODING,
        problems.OVERLOADED,
    )
}

#: Turns of the event loop before an end: what has arrived by then is read, and no idle
#: connection any more. One accepts the connection, one starts to read, one reads.
_TURNS = 5


class Protocol(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """One connection."""

    worker: Worker
    _response_buffer: bytes | None

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take a connection, if there is room for it."""
        self.worker.protocols.add(self)
        super().connection_made(transport)
        if self.worker.nr_conns > self.worker.worker_connections:
            self._send_error_response(
                503,
                "this node has as many connections as it may have",
                [("Retry-After", "1")],
            )
            self._close_transport()
            return
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a request's headers are due soon after its first byte."""
        if self._deadline is None and self._current_request is None:
            self._arm()
        try:
            super().data_received(data)
        except ValueError:
            # The parser makes a number of a Content-Length of any length, and Python
            # refuses one of thousands of digits.
            self._send_error_response(400, "the length is no number")
            self._close_transport()
        if self._current_request is not None:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.worker.protocols.discard(self)
        self._disarm()
        super().connection_lost(exc)

    def close_if_idle(self) -> None:
        """Close a connection that answers nothing."""
        if self._current_request is None and not self._finishing_calls:
            self._close_transport()
            if self._request_ready is not None:
                self._request_ready.set()

    def drop_if_idle(self) -> None:
        """Close it without waiting for the client's own end of TLS.

        A client that keeps a connection for later may not answer for minutes.
        """
        if self._current_request is None and not self._finishing_calls:
            self.close_if_idle()
            if self._is_ssl and self.transport is not None:
                self.transport.abort()

    def _send_response_start(
        self, status: int, headers: Any, request: Any, **more: Any
    ) -> None:
        """Hold the headers back for a body that follows at once, no longer.

        A log that is followed may have nothing to say for hours, and its reader
        waits for the headers.
        """
        super()._send_response_start(status, headers, request, **more)
        if any(bytes(name) == b"transfer-encoding" for name, _ in headers):
            self.worker.loop.call_soon(self._flush_head)

    def _flush_head(self) -> None:
        head, self._response_buffer = self._response_buffer, None
        if head and not self._closed:
            self._safe_write(head)

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """Take no offer of a web socket: the request is answered as HTTP."""
        return False

    def _arm(self) -> None:
        self._deadline = self.worker.loop.call_later(
            self.worker.header_timeout, self._too_slow
        )

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._current_request is None and not self._closed:
            self._send_error_response(408, "the headers took too long to arrive")
            self.close_if_idle()

    def _send_error_response(
        self,
        status: int,
        message: str,
        extra_headers: Any = (),
    ) -> None:
        """Answer with a problem; ``message`` may quote the request, so it is not."""
        kind = _KINDS.get(status, problems.MALFORMED)
        problem = problems.Problem(
            kind=kind, detail="The server could not take this request; see the title."
        )
        body = problem.encoded(instance=new_number())
        lines = [
            f"HTTP/1.1 {status} {self._get_reason_phrase(status)}",
            f"Content-Type: {problems.MEDIA_TYPE}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in extra_headers),
            "Connection: close",
            "",
            "",
        ]
        self._safe_write("\r\n".join(lines).encode() + body)


# The worker has no hook for its connections' class. The processes that import this
# module serve nothing else.
gasgi.ASGIProtocol = Protocol


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process of the service."""

    asgi: App

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.protocols: set[Protocol] = set()
        self.header_timeout: float = self.app.header_timeout
        self._main: asyncio.Task[None] | None = None
        self._widened = False

    async def _serve(self) -> None:
        self._main = asyncio.current_task()
        await super()._serve()

    def notify(self) -> None:
        """Beat; the first time, let as many connections queue as there may be.

        The event loop has narrowed that to 100, and a client beyond them waits a
        second: many do when all workers of a service come back at once.
        """
        super().notify()
        if not self._widened:
            self._widened = True
            for listener in self.sockets:
                listener.sock.listen(self.cfg.backlog)

    def init_signals(self) -> None:
        """Take SIGINT for SIGTERM: a terminal's Ctrl-C reaches this process too."""
        super().init_signals()
        self.loop.add_signal_handler(signal.SIGINT, self.handle_exit_signal)

    def handle_exit_signal(self) -> None:
        """End, and do not wait for a tick."""
        super().handle_exit_signal()
        # Once: a second signal, as whoever signals a whole group sends, must not cut
        # the end itself short.
        main, self._main = self._main, None
        if main is not None and self.servers:
            # The main loop sleeps a second at a time; a cancellation ends that.
            main.cancel()

    async def _shutdown(self) -> None:
        # From here on a signal has nothing left to cut short but the end itself.
        self._main = None
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        # Also without a signal: the process that supervises may have been killed.
        self.asgi.drain()
        for protocol in list(self.protocols):
            protocol.drop_if_idle()
        await super()._shutdown()


class Log(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's events, among all others of the program."""

    def setup(self, cfg: Any) -> None:
        """Send everything to the root, which the program has set up."""
        super().setup(cfg)
        for name in ("gunicorn.error", "gunicorn.access"):
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.propagate = True
