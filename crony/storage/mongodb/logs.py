"""The output of attempts, in MongoDB.

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
from typing import cast

from pymongo.errors import DuplicateKeyError

from crony.model.lease import Standing
from crony.model.run import LogChunk
from crony.model.state import TERMINAL, AttemptState, RunState
from crony.storage.contract import Logs
from crony.storage.documents import Document, document_in, document_out
from crony.storage.mongodb import book, kinds
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.output import Output, Piece
from crony.storage.mongodb.work import Work, key

#: What an attempt is while more may come.
_OPEN = (AttemptState.LEASED.value, AttemptState.RUNNING.value)


class MongoLogs(Logs):
    """Output as documents of attempts, and of pieces."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
        while True:
            work = self._engine.glance(tenant)
            standing = book.standing_of(work, worker, run, token)
            if standing is not Standing.ACCEPTED:
                return standing
            found = _Attempt(self._engine, work, run, token)
            output = found.read()
            if output is None:
                # And the run is asked for once more: who tells from now on that the
                # attempt is closed finds this.
                found.begin()
            elif not output.closed and found.grow(
                output, chunks, head=min(head, bound), bound=bound
            ):
                return standing

    def read(
        self, tenant: str, run: str, *, attempt: int, after: int
    ) -> tuple[Sequence[LogChunk], bool]:
        work = self._engine.glance(tenant)
        token, closed = _token(work, run, attempt)
        if token is None:
            return (), closed
        found = _Attempt(self._engine, work, run, token)
        if closed:
            found.close()
        return found.chunks(after=after), closed


class _Attempt:
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


def _token(work: Work, run: str, attempt: int) -> tuple[int | None, bool]:
    """Return the token of an attempt, if it has begun, and whether it is closed."""
    found = work.get(kinds.RUNS, run)
    if found is None:
        return None, True
    for each in cast("list[Document]", found["attempts"]):
        if each["number"] == attempt:
            return cast("int", each["token"]), each["state"] not in _OPEN
    over = RunState(cast("str", found["state"])) in TERMINAL
    return None, over or attempt <= cast("int", found["attempt"])


def _droppable(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    return [(piece.sequence, piece.size) for piece in pieces if not piece.head]


def sizes(work: Work, run: str) -> dict[int, tuple[int, int]]:
    """Return how many bytes the attempts of a run wrote, and how many are kept, by
    token."""
    outputs = work.find(kinds.OUTPUTS, {"run": run})
    found = ((cast("int", d["token"]), document_in(Output, d)) for d in outputs)
    return {token: (output.written, output.kept) for token, output in found}


def forget(work: Work, run: str) -> None:
    """Remove the output of a run."""
    for kind in (kinds.OUTPUTS, kinds.PIECES):
        work.sweep(kind, {"run": run})
