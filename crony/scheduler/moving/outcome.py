"""What a line of a piece says, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from crony import errors
from crony.scheduler.moving.lines import Kind, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a line: ``stored``, ``unchanged``, ``refused``, or only read."""

    #: Its number in the piece, from 1.
    line: int
    word: str
    kind: Kind | None = None
    id: str = ""
    error: errors.CronyError | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was read, under its number."""

    number: int
    record: Record


def said(line: Line, word: str) -> Outcome:
    """Return what became of a line, in that word."""
    record = line.record
    return Outcome(line=line.number, word=word, kind=record.kind, id=record.id)


def refused(line: Line, error: errors.CronyError) -> Outcome:
    """Return that a line was refused, and why."""
    return replace(said(line, "refused"), error=error)


def put_outcome(line: Line, stored: bool) -> Outcome:  # noqa: FBT001  # for ``map``
    """Return what became of a schedule or run that the store took, or did not."""
    if stored:
        return said(line, "stored")
    return refused(
        line,
        errors.Conflict(
            "the id is used here, by another tenant or by a run that a worker has"
        ),
    )
