"""The documents of attempts' output, in MongoDB.

What is known of an attempt's output is one document, changed from one ``revision`` to
the next under that condition and by no commit: output comes too often for that. Its
newest pieces are in it (``tail``), and move to documents of their own before the next
ones take their place, so that nothing of what was accepted is ever in neither.

``closed`` is set before anybody is told that no more will come, and nothing is
accepted after it. ``seq`` is that of the tenant's commits when it began, so that the
commit that prunes the run can remove it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from pymongo.errors import DuplicateKeyError

from crony.model.run import LogChunk, Run
from crony.storage.documents import Document, document_in, document_out
from crony.storage.mongodb import kinds
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.output import Output, Piece
from crony.storage.mongodb.work import Work, id_of, key


class AttemptOutput:
    """The documents of an attempt's output."""

    def __init__(self, engine: Engine, work: Work, run: str, token: int) -> None:
        self._database = engine.database
        self._work = work
        self._run = run
        self._token = token
        self._name = f"{run}/{token}"
        self._where = {"tenant": work.tenant, "_id": key(work.tenant, self._name)}
        self._of = {"tenant": work.tenant, "run": run, "token": token}

    def read(self) -> Output | None:
        """Return what is known."""
        found = self._database.find(kinds.OUTPUTS, {**self._where, "run": self._run})
        return document_in(Output, found[0]) if found else None

    def begin(self) -> None:
        """Make the document, unless another did."""
        empty = document_out(Output())
        stamp = {"seq": self._work.head.seq}
        with translated():
            try:
                self._database.documents(kinds.OUTPUTS).insert_one(
                    {**self._where, **self._of, **stamp, **empty}
                )
            except DuplicateKeyError:
                return

    def close(self) -> None:
        """Let nothing be accepted from now on."""
        with translated():
            self._database.documents(kinds.OUTPUTS).update_one(
                {**self._where, "closed": False},
                {"$set": {"closed": True}, "$inc": {"revision": 1}},
            )

    def grow(
        self, output: Output, chunks: Sequence[LogChunk], *, head: int, bound: int
    ) -> bool:
        """Add what is new; return whether it counted."""
        revision, first, tail = output.revision, output.first, output.tail
        output.add(chunks, head=head, bound=bound)
        if not output.tail:
            # All of it was there before.
            return True
        if tail:
            self._database.insert(kinds.PIECES, map(self._piece, tail))
        if output.kept > bound:
            droppable = [*self._droppable(first), *_droppable(output.tail)]
            output.drop(droppable, bound=bound)
        if not self._write(output, revision):
            return False
        if output.first > first:
            self._forget(below=output.first)
        return True

    def _write(self, output: Output, revision: int) -> bool:
        output.revision = revision + 1
        with translated():
            written = self._database.documents(kinds.OUTPUTS).update_one(
                {**self._where, "revision": revision}, {"$set": document_out(output)}
            )
        return written.matched_count == 1

    def _piece(self, piece: Piece) -> Document:
        name = key(self._work.tenant, f"{self._name}/{piece.sequence}")
        stamp = {"seq": self._work.head.seq}
        return {"_id": name, **self._of, **stamp, **document_out(piece)}

    def _droppable(self, first: int) -> list[tuple[int, int]]:
        """Return number and size of the pieces after the head, oldest first."""
        found = self._database.find(
            kinds.PIECES,
            {**self._of, "sequence": {"$gte": first}, "head": False},
            sort=[("sequence", 1)],
            fields=["sequence", "size"],
        )
        return [(cast("int", p["sequence"]), cast("int", p["size"])) for p in found]

    def _forget(self, *, below: int) -> None:
        """Remove pieces that were dropped; nothing shows them any more."""
        with translated():
            self._database.in_order(kinds.PIECES).delete_many(
                {**self._of, "sequence": {"$lt": below}, "head": False}
            )

    def chunks(self, *, after: int) -> Sequence[LogChunk]:
        """Return what is kept after a piece."""
        while (output := self.read()) is not None:
            pieces = self._pieces(output, after=after)
            now = self.read()
            # Else some may have been dropped before they were read.
            if now is None or now.first == output.first:
                kept = (piece for piece in pieces if piece.kept(output.first))
                return tuple(piece.chunk(output.first) for piece in kept)
        return ()

    def _pieces(self, output: Output, *, after: int) -> list[Piece]:
        tail = [piece for piece in output.tail if piece.sequence > after]
        end = output.tail[0].sequence if output.tail else output.sequence + 1
        if after >= end - 1:
            return tail
        found = self._database.find(
            kinds.PIECES,
            {**self._of, "sequence": {"$gt": after, "$lt": end}},
            sort=[("sequence", 1)],
        )
        return [document_in(Piece, document) for document in found] + tail


def _droppable(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    return [(piece.sequence, piece.size) for piece in pieces if not piece.head]


def sizes(work: Work, run: str) -> dict[int, tuple[int, int]]:
    """Return how many bytes the attempts of a run wrote, and how many are kept, by
    token."""
    outputs = work.find(kinds.OUTPUTS, {"run": run})
    found = ((cast("int", d["token"]), document_in(Output, d)) for d in outputs)
    return {token: (output.written, output.kept) for token, output in found}


def full(work: Work, run: Run) -> Run:
    """Return the run with what its attempts have written."""
    found = sizes(work, run.id)
    attempts = []
    for attempt in run.attempts:
        written, kept = found.get(attempt.token, (0, 0))
        attempts.append(replace(attempt, log_bytes=written, log_kept=kept))
    return replace(run, attempts=tuple(attempts))


def whole(engine: Engine, work: Work, run: str) -> dict[int, tuple[LogChunk, ...]]:
    """Return all that is kept of the output of a run, by token."""
    return {
        token: tuple(AttemptOutput(engine, work, run, token).chunks(after=0))
        for token in sizes(work, run)
    }


def clear(work: Work, run: str) -> None:
    """Remove the output of a run, piece by piece: others may take its place."""
    for kind in (kinds.OUTPUTS, kinds.PIECES):
        for found in work.find(kind, {"run": run}):
            work.delete(kind, id_of(found))


def restore(
    work: Work, run: str, token: int, chunks: Sequence[LogChunk], *, written: int
) -> None:
    """Keep the output of an attempt as it was elsewhere; no more will come."""
    of: Document = {"run": run, "token": token}
    name = f"{run}/{token}"
    output = Output(
        closed=True,
        sequence=max((chunk.sequence for chunk in chunks), default=0),
        written=written,
        kept=sum(len(chunk.data) for chunk in chunks),
    )
    work.get(kinds.OUTPUTS, name)
    work.put(kinds.OUTPUTS, name, {**document_out(output), **of})
    pieces = {f"{name}/{chunk.sequence}": _moved(chunk) for chunk in chunks}
    work.get_all(kinds.PIECES, pieces)
    for id, piece in pieces.items():
        work.put(kinds.PIECES, id, {**document_out(piece), **of})


def _moved(chunk: LogChunk) -> Piece:
    """Return a piece that stays, with the gap before it."""
    return Piece(
        sequence=chunk.sequence,
        stream=chunk.stream,
        offset=chunk.offset,
        head=True,
        size=len(chunk.data),
        gap=chunk.dropped,
        head_gap=chunk.dropped,
        before=None,
        data=chunk.data,
    )


def forget(work: Work, runs: Sequence[str]) -> None:
    """Remove the output of runs."""
    for kind in (kinds.OUTPUTS, kinds.PIECES):
        work.sweep(kind, {"run": {"$in": list(runs)}})
