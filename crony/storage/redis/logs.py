"""The output of attempts, in Redis: kept by token (``parts/logs.lua``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from crony.model.lease import Standing
from crony.model.run import LogChunk
from crony.storage.contract import Logs
from crony.storage.redis.engine import Engine
from crony.storage.redis.values import raw


class RedisLogs(Logs):
    """Output in lists of pieces."""

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
        standing = self._engine.call(
            "log_append",
            tenant,
            worker=worker,
            run=run,
            token=token,
            chunks=[
                {"stream": chunk.stream, "offset": chunk.offset, "data": chunk.data}
                for chunk in chunks
            ],
            head=head,
            bound=bound,
        )
        return Standing(standing)

    def read(
        self, tenant: str, run: str, *, attempt: int, after: int
    ) -> tuple[Sequence[LogChunk], bool]:
        found = self._engine.call(
            "log_read", tenant, run=run, attempt=attempt, after=after
        )
        return tuple(chunk(piece) for piece in found["pieces"]), bool(found["closed"])


def chunk(piece: Mapping[str, object]) -> LogChunk:
    """Return a piece that is kept, as the contract names it."""
    return LogChunk(
        sequence=cast("int", piece["sequence"]),
        stream=cast("str", piece["stream"]),
        offset=cast("int", piece["offset"]),
        data=raw(cast("str", piece["data"])),
        dropped=cast("int", piece["dropped"]),
    )
