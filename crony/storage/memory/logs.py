"""The output of attempts, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from crony.model.lease import Standing
from crony.model.run import LogChunk
from crony.model.state import HELD, AttemptState
from crony.storage import rules
from crony.storage.contract import Logs
from crony.storage.memory.records import Output
from crony.storage.memory.state import Memory


class MemoryLogs(Logs):
    """Output in lists."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def append(
        self,
        tenant: str,
        worker: str,
        run: str,
        token: int,
        chunks: Sequence[LogChunk],
        *,
        head: int,
        bound: int,
    ) -> Standing:
        memory = self._memory
        with memory.verb():
            found = memory.known(tenant, worker, run, token)
            if found is None:
                return Standing.UNKNOWN
            if token != found.token or found.state not in HELD:
                return memory.standing(tenant, worker, run, token)
            output = memory.outputs.setdefault((run, token), Output())
            for chunk in chunks:
                _add(output, chunk, head=min(head, bound), bound=bound)
            return Standing.ACCEPTED

    def read(
        self, tenant: str, run: str, *, attempt: int, after: int
    ) -> tuple[Sequence[LogChunk], bool]:
        memory = self._memory
        with memory.verb():
            found = memory.runs.get(run)
            if found is None or found.tenant != tenant:
                return (), True
            of = next((a for a in found.attempts if a.number == attempt), None)
            if of is None:
                return (), found.over or attempt <= found.attempt
            output = memory.outputs.get((run, of.token), Output())
            closed = of.state not in (AttemptState.LEASED, AttemptState.RUNNING)
            return tuple(c for c in chunks_of(output) if c.sequence > after), closed


def _add(output: Output, chunk: LogChunk, *, head: int, bound: int) -> None:
    """Keep a chunk, as far as it is new and there is room."""
    position = output.positions.get(chunk.stream, 0)
    end = chunk.offset + len(chunk.data)
    if end <= position:
        return
    output.positions[chunk.stream] = end
    room = head - output.head
    for piece in rules.pieces(
        chunk.stream,
        chunk.offset,
        chunk.data,
        position=position,
        room=room,
        bound=bound - head,
    ):
        output.sequence += 1
        output.pieces.append((output.sequence, piece))
    while output.kept > bound:
        oldest = next(entry for entry in output.pieces if not entry[1].head)
        output.pieces.remove(oldest)


def chunks_of(output: Output) -> list[LogChunk]:
    """Return what is kept, each piece with the gap before it."""
    ends: dict[str, int] = {}
    chunks = []
    for sequence, piece in output.pieces:
        chunks.append(
            LogChunk(
                sequence=sequence,
                stream=piece.stream,
                offset=piece.offset,
                data=piece.data,
                dropped=piece.offset - ends.get(piece.stream, 0),
            )
        )
        ends[piece.stream] = piece.offset + len(piece.data)
    return chunks
