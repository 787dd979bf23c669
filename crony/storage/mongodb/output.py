"""What is known of the output of one attempt, and how it grows.

The first bytes (the head) stay; of what comes after them the oldest pieces are
dropped, those with numbers below ``first``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from crony.model.run import LogChunk
from crony.storage import rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of output that is kept, or was."""

    sequence: int
    stream: str
    offset: int
    head: bool
    size: int
    #: The bytes of the stream that are missing before it, and how many are once what
    #: comes after the head is dropped up to here.
    gap: int
    head_gap: int
    #: The piece of the stream before it, if that may be dropped.
    before: int | None
    data: bytes

    def kept(self, first: int) -> bool:
        """Return whether it is kept, while those below ``first`` are dropped."""
        return self.head or self.sequence >= first

    def chunk(self, first: int) -> LogChunk:
        """Return what is told of it, while those below ``first`` are dropped."""
        whole = self.before is None or self.before >= first
        return LogChunk(
            sequence=self.sequence,
            stream=self.stream,
            offset=self.offset,
            data=self.data,
            dropped=self.gap if whole else self.head_gap,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How far a stream of an attempt is known."""

    name: str
    #: Up to where it came, where its newest piece ends, and where its head does.
    position: int = 0
    end: int = 0
    head_end: int = 0
    #: Its newest piece, if that may be dropped.
    newest: int | None = None


@dataclass(slots=True, kw_only=True)
class Output:
    """The output of an attempt; ``tail`` are the pieces that came last."""

    revision: int = 0
    closed: bool = False
    first: int = 1
    sequence: int = 0
    #: The bytes that came, of those the bytes that are kept, and that the head has.
    written: int = 0
    kept: int = 0
    head: int = 0
    streams: tuple[Stream, ...] = ()
    tail: tuple[Piece, ...] = ()

    def add(self, chunks: Sequence[LogChunk], *, head: int, bound: int) -> None:
        """Put what is new of chunks, as far as there is room, in the tail's place."""
        grown = _Growth(self)
        for chunk in chunks:
            grown.add(chunk, head=head, bound=bound)
        self.streams, self.tail = tuple(grown.streams.values()), tuple(grown.tail)

    def drop(self, pieces: Sequence[tuple[int, int]], *, bound: int) -> None:
        """Drop the oldest of these (number, size), whole, while too much is kept."""
        for sequence, size in pieces:
            if self.kept <= bound:
                break
            self.first = sequence + 1
            self.kept -= size
        self.tail = tuple(piece for piece in self.tail if piece.kept(self.first))


@dataclass(slots=True)
class _Growth:
    """An output while chunks are added."""

    output: Output
    streams: dict[str, Stream] = field(init=False)
    tail: list[Piece] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.streams = {stream.name: stream for stream in self.output.streams}

    def add(self, chunk: LogChunk, *, head: int, bound: int) -> None:
        stream = self.streams.get(chunk.stream, Stream(name=chunk.stream))
        position = stream.position
        end = chunk.offset + len(chunk.data)
        if end <= position:
            return
        pieces = rules.pieces(
            chunk.stream,
            chunk.offset,
            chunk.data,
            position=position,
            room=head - self.output.head,
            bound=bound - head,
        )
        for piece in pieces:
            stream = self._keep(piece, stream)
        self.output.written += end - position
        self.streams[stream.name] = replace(stream, position=end)

    def _keep(self, piece: rules.Kept, stream: Stream) -> Stream:
        output, size = self.output, len(piece.data)
        output.sequence += 1
        output.kept += size
        output.head += size if piece.head else 0
        self.tail.append(
            Piece(
                sequence=output.sequence,
                stream=piece.stream,
                offset=piece.offset,
                head=piece.head,
                size=size,
                gap=piece.offset - stream.end,
                head_gap=piece.offset - stream.head_end,
                before=stream.newest,
                data=piece.data,
            )
        )
        end = piece.offset + size
        return replace(
            stream,
            end=end,
            head_end=end if piece.head else stream.head_end,
            newest=None if piece.head else output.sequence,
        )
