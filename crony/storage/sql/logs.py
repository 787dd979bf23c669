"""The output of attempts, in SQL.

Output is kept by token rather than by attempt number, for the number of an
offer that lapsed is used again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from crony.model.lease import Standing
from crony.model.run import LogChunk
from crony.model.state import HELD, TERMINAL, RunState
from crony.storage import rules
from crony.storage.contract import Logs
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import text
from crony.storage.sql.holding import Hand
from crony.storage.sql.noun import Noun

_OUTPUT = text(
    "SELECT positions, sequence, kept, head FROM outputs"
    " WHERE run = :run AND token = :token"
)
_KEEP_OUTPUT = text(
    "INSERT INTO outputs (run, token, tenant, positions, sequence, written, kept,"
    " head) VALUES (:run, :token, :tenant, :positions, :sequence, :written, :kept,"
    " :head) ON CONFLICT (run, token) DO UPDATE SET positions = excluded.positions,"
    " sequence = excluded.sequence, written = excluded.written, kept = excluded.kept,"
    " head = excluded.head"
)
_KEEP_PIECE = text(
    "INSERT INTO pieces (run, token, sequence, stream, start, size, head, data)"
    " VALUES (:run, :token, :sequence, :stream, :start, :size, :head, :data)"
)
_DROPPABLE = text(
    "SELECT sequence, size FROM pieces WHERE run = :run AND token = :token"
    " AND head = 0 ORDER BY sequence"
)
_DROP = text(
    "DELETE FROM pieces WHERE run = :run AND token = :token AND head = 0"
    " AND sequence <= :sequence"
)
_RUN = text(
    "SELECT state, attempt, token FROM runs WHERE id = :run AND tenant = :tenant"
)
_TOKEN = text("SELECT token FROM attempts WHERE run = :run AND number = :number")
_PIECES = text(
    "SELECT sequence, stream, start, data, dropped FROM (SELECT sequence, stream,"
    " start, data, start - coalesce(lag(start + size)"
    " OVER (PARTITION BY stream ORDER BY sequence), 0) AS dropped"
    " FROM pieces WHERE run = :run AND token = :token) found"
    " WHERE sequence > :after ORDER BY sequence"
)


class SqlLogs(Noun, Logs):
    """Output in the tables ``outputs`` and ``pieces``."""

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
        with self._database.writing(tenant) as connection:
            hand = Hand(connection, tenant, worker, [(run, token)])
            found = hand.known(run, token)
            if found is None or not found.by(worker, token):
                return hand.standing(run, token)
            output = _Output(connection, run, token, head=min(head, bound), bound=bound)
            for chunk in chunks:
                output.add(chunk)
            output.write(tenant=tenant)
            return Standing.ACCEPTED

    def read(
        self, tenant: str, run: str, *, attempt: int, after: int
    ) -> tuple[Sequence[LogChunk], bool]:
        with self._database.snapshot() as connection:
            found = connection.execute(_RUN, {"run": run, "tenant": tenant}).first()
            if found is None:
                return (), True
            state, newest, held = RunState(found[0]), found[1], found[2]
            live = state in HELD and newest == attempt
            token = (
                held
                if live
                else connection.execute(
                    _TOKEN, {"run": run, "number": attempt}
                ).scalar()
            )
            if token is None:
                return (), state in TERMINAL or attempt <= newest
            asked = {"run": run, "token": token, "after": after}
            pieces = connection.execute(_PIECES, asked).all()
        chunks = tuple(
            LogChunk(
                sequence=sequence,
                stream=stream,
                offset=start,
                data=data,
                dropped=dropped,
            )
            for sequence, stream, start, data, dropped in pieces
        )
        return chunks, not live


def keep(
    connection: Connection,
    *,
    tenant: str,
    run: str,
    token: int,
    chunks: Sequence[LogChunk],
    written: int,
) -> None:
    """Keep the output of an attempt that has ended; ``written`` is all there was."""
    of = {"run": run, "token": token}
    kept = sum(len(chunk.data) for chunk in chunks)
    ends = {chunk.stream: chunk.offset + len(chunk.data) for chunk in chunks}
    connection.execute(
        _KEEP_OUTPUT,
        {
            **of,
            "tenant": tenant,
            "positions": json.dumps(ends),
            "sequence": chunks[-1].sequence if chunks else 0,
            "written": written,
            "kept": kept,
            "head": 0,
        },
    )
    pieces: list[Parameters] = [
        {
            **of,
            "sequence": chunk.sequence,
            "stream": chunk.stream,
            "start": chunk.offset,
            "size": len(chunk.data),
            "head": 0,
            "data": chunk.data,
        }
        for chunk in chunks
    ]
    connection.execute_each(_KEEP_PIECE, pieces)


class _Output:
    """The output of one attempt, as it grows in one verb."""

    def __init__(
        self, connection: Connection, run: str, token: int, *, head: int, bound: int
    ) -> None:
        self._connection = connection
        self._of = {"run": run, "token": token}
        self._head_bound = head
        self._bound = bound
        self._new: list[Parameters] = []
        row = connection.execute(_OUTPUT, self._of).first()
        self._positions: dict[str, int] = json.loads(row[0]) if row else {}
        self._sequence, self._kept, self._head = row[1:] if row else (0, 0, 0)

    def add(self, chunk: LogChunk) -> None:
        """Keep a chunk, as far as it is new and there is room."""
        position = self._positions.get(chunk.stream, 0)
        end = chunk.offset + len(chunk.data)
        if end <= position:
            return
        self._positions[chunk.stream] = end
        for piece in rules.pieces(
            chunk.stream,
            chunk.offset,
            chunk.data,
            position=position,
            room=self._head_bound - self._head,
            bound=self._bound - self._head_bound,
        ):
            self._sequence += 1
            size = len(piece.data)
            self._kept += size
            self._head += size if piece.head else 0
            self._new.append(
                {
                    **self._of,
                    "sequence": self._sequence,
                    "stream": piece.stream,
                    "start": piece.offset,
                    "size": size,
                    "head": int(piece.head),
                    "data": piece.data,
                }
            )

    def write(self, *, tenant: str) -> None:
        """Write what came, and drop what is too much."""
        if self._new:
            self._connection.execute_each(_KEEP_PIECE, self._new)
        if self._kept > self._bound:
            self._drop()
        self._connection.execute(
            _KEEP_OUTPUT,
            {
                **self._of,
                "tenant": tenant,
                "positions": json.dumps(self._positions),
                "sequence": self._sequence,
                "written": sum(self._positions.values()),
                "kept": self._kept,
                "head": self._head,
            },
        )

    def _drop(self) -> None:
        """Drop the oldest pieces after the head, whole."""
        last = 0
        for sequence, size in self._connection.execute(_DROPPABLE, self._of):
            if self._kept <= self._bound:
                break
            last = sequence
            self._kept -= size
        self._connection.execute(_DROP, {**self._of, "sequence": last})
