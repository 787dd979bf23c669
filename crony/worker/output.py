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
        self._waiting: deque[Piece] = deque()
        self._taken: list[Piece] = []
        self._offsets: dict[str, int] = {}
        self._dropped: dict[str, int] = {}
        self._head_left = self._part
        self._tail = 0
        self._accepted = 0

    @property
    def accepted(self) -> int:
        """How many bytes the service has taken."""
        return self._accepted

    def waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self._waiting)

    def write(self, stream: str, data: bytes) -> None:
        """Keep what came on a stream."""
        with self._lock:
            head, rest = data[: self._head_left], data[self._head_left :]
            self._head_left -= len(head)
            self._add(stream, head, in_head=True)
            self._add(stream, rest, in_head=False)
            self._make_room()

    def _add(self, stream: str, data: bytes, *, in_head: bool) -> None:
        view = memoryview(data)
        while view:
            piece = self._open_piece(stream, in_head=in_head)
            some = view[: self._part - len(piece.data)]
            piece.data += some
            self._offsets[stream] = self._offsets.get(stream, 0) + len(some)
            if not in_head:
                self._tail += len(some)
            view = view[len(some) :]

    def _open_piece(self, stream: str, *, in_head: bool) -> Piece:
        """Return the piece that goes on, or a new one behind it."""
        if self._waiting:
            last = self._waiting[-1]
            same = last.stream == stream and last.in_head is in_head
            if same and len(last.data) < self._part:
                return last
        piece = Piece(
            stream, self._offsets.get(stream, 0), self._dropped.pop(stream, 0), in_head
        )
        self._waiting.append(piece)
        if not in_head:
            self._tail += _OVERHEAD
        return piece

    def _make_room(self) -> None:
        while self._tail > self._tail_bound:
            index = next(i for i, p in enumerate(self._waiting) if not p.in_head)
            oldest = self._waiting[index]
            del self._waiting[index]
            self._tail -= _OVERHEAD + len(oldest.data)
            self._count_dropped(oldest.stream, oldest.dropped + len(oldest.data))

    def _count_dropped(self, stream: str, size: int) -> None:
        """Say it with the stream's next piece, which may be there already."""
        for piece in self._waiting:
            if piece.stream == stream and not piece.in_head:
                piece.dropped += size
                return
        self._dropped[stream] = self._dropped.get(stream, 0) + size

    def take(self, most: int) -> Sequence[Piece]:
        """Take pieces of up to about ``most`` bytes, to be settled afterwards."""
        with self._lock:
            size = 0
            while self._waiting and size < most:
                piece = self._waiting.popleft()
                size += _OVERHEAD + len(piece.data)
                if not piece.in_head:
                    self._tail -= _OVERHEAD + len(piece.data)
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
                self._waiting.appendleft(piece)
                if not piece.in_head:
                    self._tail += _OVERHEAD + len(piece.data)
            self._make_room()

    def rest(self) -> Sequence[Piece]:
        """Return all that the service has not acknowledged, oldest first."""
        with self._lock:
            return (*self._taken, *self._waiting)
