"""Server-sent events: from the bytes of a stream to the events in it."""

import json
from collections.abc import Iterable, Iterator
from typing import cast

from crony.client.transport import Answer


def frames_in(chunks: Iterable[bytes]) -> Iterator[tuple[str, Answer | None]]:
    """Yield the frames of a stream, each when it is whole: the id, and the event.

    A frame without an event tells of a position only. One that the stream's end cuts
    off is dropped: it comes again when the stream is resumed.
    """
    id, data = "", list[bytes]()
    for line in _lines(chunks):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"id":
            id = value.removeprefix(b" ").decode("ascii", "replace")
        elif not line and id:
            whole = b"\n".join(data)
            yield id, cast(Answer, json.loads(whole)) if whole else None
            id, data = "", []


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        # Only what is new is searched: a chunk may hold a small part of a line.
        *whole, last = chunk.split(b"\n")
        for line in whole:
            yield (rest + line).removesuffix(b"\r")
            rest = b""
        rest += last
