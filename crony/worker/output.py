"""What a task prints: kept in bounded memory until the service has it.

The first part of an attempt's output is never given up; behind it the newest is
kept, and what had to go is counted. Writing never blocks, so reading never stops
the task.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

#: What a piece costs beside its bytes: a task that changes streams with each byte
#: must not cost more than one that does not.
_OVERHEAD = 128


@dataclass(slots=True)
class Piece:
    """Contiguous bytes of one stream; ``dropped`` of it are missing before them."""

    stream: str
    offset: int
    dropped: int
    in_head: bool
    data: bytearray = field(default_factory=bytearray)


class Output:
    """Both streams of one attempt, on their way to the service.

    ``bound`` is how many bytes may wait, of which the first ``part`` of the
    attempt always stay; a piece holds at most ``part``.
    """

    def __init__(self, *, bound: int, part: int) -> None:
        self._part = max(1, min(part, bound))
        self._tail_bound = max(bound - self._part, self._part)
        self._lock = threading.Lock()
        self._head: deque[Piece] = deque()
        self._tail: deque[Piece] = deque()
        self._taken: list[Piece] = []
        self._offsets: dict[str, int] = {}
        self._dropped: dict[str, int] = {}
        self._head_left = self._part
        self._tail_size = 0
        self._accepted = 0

    @property
    def accepted(self) -> int:
        """How many bytes the service has taken."""
        return self._accepted

    def waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self._head or self._tail)

    def write(self, stream: str, data: bytes) -> None:
        """Keep what came on a stream."""
        with self._lock:
            head, rest = data[: self._head_left], data[self._head_left :]
            self._head_left -= len(head)
            self._add(self._head, stream, head)
            self._tail_size += _OVERHEAD * self._add(self._tail, stream, rest)
            self._tail_size += len(rest)
            self._make_room()

    def _add(self, pieces: deque[Piece], stream: str, data: bytes) -> int:
        """Put data behind what is there; return how many pieces that made."""
        made = 0
        view = memoryview(data)
        while view:
            last = pieces[-1] if pieces else None
            if last is None or last.stream != stream or len(last.data) >= self._part:
                offset = self._offsets.get(stream, 0)
                dropped = self._dropped.pop(stream, 0)
                last = Piece(stream, offset, dropped, pieces is self._head)
                pieces.append(last)
                made += 1
            some = view[: self._part - len(last.data)]
            last.data += some
            self._offsets[stream] = self._offsets.get(stream, 0) + len(some)
            view = view[len(some) :]
        return made

    def _make_room(self) -> None:
        while self._tail_size > self._tail_bound:
            oldest = self._tail.popleft()
            self._tail_size -= _OVERHEAD + len(oldest.data)
            self._count_dropped(oldest.stream, oldest.dropped + len(oldest.data))

    def _count_dropped(self, stream: str, size: int) -> None:
        """Say it with the stream's next piece, which may be there already."""
        for piece in self._tail:
            if piece.stream == stream:
                piece.dropped += size
                return
        self._dropped[stream] = self._dropped.get(stream, 0) + size

    def take(self, most: int) -> Sequence[Piece]:
        """Take pieces of up to about ``most`` bytes, to be settled afterwards."""
        with self._lock:
            size = 0
            while (self._head or self._tail) and size < most:
                piece = (self._head or self._tail).popleft()
                cost = _OVERHEAD + len(piece.data)
                size += cost
                if not piece.in_head:
                    self._tail_size -= cost
                self._taken.append(piece)
            return tuple(self._taken)

    def settle(self, *, accepted: bool) -> None:
        """Forget what was taken, or have it wait again."""
        with self._lock:
            taken, self._taken = self._taken, []
            if accepted:
                self._accepted += sum(len(piece.data) for piece in taken)
                return
            for piece in reversed(taken):
                if piece.in_head:
                    self._head.appendleft(piece)
                else:
                    self._tail.appendleft(piece)
                    self._tail_size += _OVERHEAD + len(piece.data)
            self._make_room()

    def rest(self) -> Sequence[Piece]:
        """Return all that the service has not acknowledged, oldest first."""
        with self._lock:
            return (*self._taken, *self._head, *self._tail)
