"""An answer as it comes in: read by ``httptools``, waited for with patience."""

from __future__ import annotations

import socket
import time
import weakref
from collections.abc import Iterator

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from crony.client.failing import Broken

#: Received at once.
_PIECE = 1 << 16

#: Headers that take more are nobody's answer.
_MOST_HEAD = 1 << 16

_CONTINUE = 100


class Patience:
    """How long to wait: until an instant for all there is, or for each part."""

    def __init__(self, until: float) -> None:
        self._until: float | None = until
        self._each: float | None = None

    def left(self) -> float | None:
        """Return the seconds that are left, ``None`` for ever."""
        if self._until is None:
            return self._each
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return left

    def from_now_on(self, each: float | None) -> None:
        """Wait for each part by itself."""
        self._until, self._each = None, each


class Incoming:
    """One answer on a socket: its head first, then its body bit by bit."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self.status = 0
        #: By their names in small letters; what came twice, with a comma between.
        self.headers: dict[str, str] = {}
        #: Whether the next answer may come on the same connection.
        self.leaves_it_open = False
        self._sock = sock
        self._patience = patience
        self._has_head = False
        self._is_whole = False
        self._came: list[bytes] = []
        self._fault: Broken | None = None
        self._parser = HttpResponseParser(_Events(self))

    def begin(self) -> None:
        """Receive until the headers are there. Raises ``OSError``."""
        size = 0
        while not self._has_head:
            if size > _MOST_HEAD:
                raise Broken("the headers have no end")
            size += self._receive()

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes. Raises ``OSError`` behind what came before."""
        yield from self._taken()
        while not self._is_whole:
            self._receive()
            yield from self._taken()

    def _taken(self) -> list[bytes]:
        taken, self._came = self._came, []
        return taken

    def _receive(self) -> int:
        if self._fault is not None:
            raise self._fault
        self._sock.settimeout(self._patience.left())
        data = self._sock.recv(_PIECE)
        if data:
            self._read(data)
        elif self._has_head and self._ends_with_the_connection:
            self._is_whole = True
        else:
            raise Broken("the answer breaks off")
        return len(data)

    def _read(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as exc:
            # What follows a whole answer belongs to nobody; what came before the fault
            # is heard first.
            self.leaves_it_open = False
            self._fault = Broken("the answer is not HTTP")
            self._fault.__cause__ = exc

    @property
    def _ends_with_the_connection(self) -> bool:
        parted = "chunked" in self.headers.get("transfer-encoding", "")
        return not parted and "content-length" not in self.headers

    def began(self) -> None:
        """Note that there is more than this answer."""
        self.leaves_it_open = False

    def had(self, name: str, value: str) -> None:
        """Note a header; of what comes behind the body nobody asks."""
        if not self._has_head:
            before = self.headers.get(name)
            self.headers[name] = value if before is None else f"{before}, {value}"

    def had_head(self) -> None:
        """Note that the body follows, unless the answer proper does."""
        if self._has_head:
            return
        self.status = self._parser.get_status_code()
        self._has_head = self.status != _CONTINUE
        if not self._has_head:
            self.headers.clear()

    def had_part(self, part: bytes) -> None:
        """Note a part of the body."""
        if not self._is_whole:
            self._came.append(part)

    def had_all(self) -> None:
        """Note that the answer is over."""
        if self._has_head and not self._is_whole:
            self._is_whole = True
            self.leaves_it_open = self._parser.should_keep_alive()


class _Events:
    """What the parser calls, by its names for it."""

    def __init__(self, answer: Incoming) -> None:
        # Weakly: in a circle, each answer would wait for the garbage's collection.
        self._answer: Incoming = weakref.proxy(answer)

    def on_message_begin(self) -> None:
        self._answer.began()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.had(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        self._answer.had_head()

    def on_body(self, part: bytes) -> None:
        self._answer.had_part(part)

    def on_message_complete(self) -> None:
        self._answer.had_all()
