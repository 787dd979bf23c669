"""The output of attempts, in MongoDB: see ``outputs``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from crony.model.lease import Standing
from crony.model.run import LogChunk
from crony.model.state import TERMINAL, AttemptState, RunState
from crony.storage.contract import Logs
from crony.storage.documents import Document
from crony.storage.mongodb import book, kinds
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.outputs import AttemptOutput
from crony.storage.mongodb.work import Work

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
            found = AttemptOutput(self._engine, work, run, token)
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
        found = AttemptOutput(self._engine, work, run, token)
        if closed:
            found.close()
        return found.chunks(after=after), closed


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
