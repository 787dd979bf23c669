"""What the reference driver knows beside the model's own values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from crony.storage import rules


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that is live: its run is leased, running or stopping."""

    worker: str
    start_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Reservation:
    """A pending run that only this worker may take, until then."""

    worker: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Pulse:
    """When a running run's progress hook is due next, and how often it was."""

    next_at: datetime
    number: int = 0


@dataclass(slots=True)
class Output:
    """What is known of the output of the attempt with one token."""

    positions: dict[str, int] = field(default_factory=dict)
    pieces: list[tuple[int, rules.Kept]] = field(default_factory=list)
    sequence: int = 0

    @property
    def kept(self) -> int:
        """The bytes that are kept."""
        return sum(len(piece.data) for _, piece in self.pieces)

    @property
    def head(self) -> int:
        """The bytes of the part that is never dropped."""
        return sum(len(piece.data) for _, piece in self.pieces if piece.head)


@dataclass(slots=True)
class Duty:
    """Who has a duty until when, and when it was last done."""

    holder: str | None
    until: datetime
    last: datetime
    note: str | None = None
