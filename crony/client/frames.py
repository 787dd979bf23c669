"""Server-sent events: from the bytes of a stream to the events in it."""

import json
from collections.abc import Iterable, Iterator
from typing import cast

from crony.client.transport import Answer


def events_in(chunks: Iterable[bytes]) -> Iterator[Answer]:
    """Yield the events of a stream, each when its frame is whole.

    Comments keep a stream alive and carry nothing. A frame that the stream's end
    cuts off is dropped: it comes again when the stream is resumed.
    """
    data: list[bytes] = []
    for line in _lines(chunks):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line and data:
            yield cast(Answer, json.loads(b"\n".join(data)))
            data = []


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        # Only what is new is searched: a chunk may hold a small part of a line.
        *whole, last = chunk.split(b"\n")
        for line in whole:
            yield (rest + line).removesuffix(b"\r")
            rest = b""
        rest += last
