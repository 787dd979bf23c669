"""Items of reports, as they are written in requests."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from crony import wire
from crony.model.spoken import Spoken
from crony.model.state import AttemptState, Reason
from crony.model.task import Json
from crony.worker.lease import Lease
from crony.worker.outcome import Outcome
from crony.worker.output import Piece

#: Pieces of output in one item; the service takes 1,000.
_MOST_CHUNKS = 900

#: An item of ``POST /reports``.
Item = dict[str, Json]


def confirm(lease: Lease) -> Item:
    """Say that the run is about to start."""
    return {"run": lease.run, "token": lease.token, "state": "running"}


def live(
    lease: Lease, pieces: Sequence[Piece], progress: Spoken | None
) -> Sequence[Item]:
    """Say what a task printed and how far it is; nothing for nothing."""
    items: list[Item] = []
    for start in range(0, len(pieces), _MOST_CHUNKS):
        some = pieces[start : start + _MOST_CHUNKS]
        items.append(_about(lease, {"log": [_chunk(piece) for piece in some]}))
    if progress is not None:
        value: Item = {"percent": progress.percent, "message": progress.message}
        if items:
            items[-1]["progress"] = value
        else:
            items.append(_about(lease, {"progress": value}))
    return items


def _about(lease: Lease, item: Item) -> Item:
    return {"run": lease.run, "token": lease.token, **item}


def _chunk(piece: Piece) -> Item:
    return {
        "stream": piece.stream,
        "offset": piece.offset,
        "data": base64.b64encode(piece.data).decode("ascii"),
        "dropped": piece.dropped,
    }


def final(lease: Lease, outcome: Outcome, *, sandbox_level: str) -> Item:
    """Say how the attempt ended; ``finished`` is added when it is sent."""
    ending = outcome.ending
    item: Item = {
        "run": lease.run,
        "token": lease.token,
        "state": outcome.state.value,
        "reason": None if outcome.reason is None else outcome.reason.value,
        "exit_code": ending.exit_code,
        "signal": ending.signal,
        "error": outcome.error,
        "result": ending.result,
        "sandbox_level": sandbox_level,
        "limits": dict(lease.sandbox.written),
        "usage": {
            "cpu": None if ending.cpu is None else wire.format_duration(ending.cpu),
            "memory_peak": ending.memory_peak,
        },
    }
    if outcome.lateness is not None:
        item["lateness"] = wire.format_duration(outcome.lateness)
    if outcome.duration is not None:
        item["duration"] = wire.format_duration(outcome.duration)
    return item


def not_understood(run: str, token: int, reason: str) -> Item:
    """Say that the attempt can't start, since its lease can't be read."""
    return {
        "run": run,
        "token": token,
        "state": AttemptState.FAILED.value,
        "reason": Reason.START_FAILED.value,
        "exit_code": None,
        "signal": None,
        "error": f"this worker does not understand the lease: {reason}",
    }


def closing(rest: Sequence[Item], final_item: Item) -> Sequence[Item]:
    """Return the last items of an attempt: what was not sent comes with its end."""
    if not rest:
        return [final_item]
    return [*rest[:-1], {**rest[-1], **final_item}]
