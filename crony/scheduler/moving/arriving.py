"""Records come into a store, in pieces, as often as it takes.

Each piece is taken by itself, and begins with the header of its export. A line that
is refused spoils no other. While the tenant is held, what is there already is compared
with what comes: what is the same stays, what changed is replaced, and runs that lie
between two lines, or behind the last, are gone there and go here. So the same piece
again changes nothing, and a later export brings what changed since.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from crony import errors
from crony.clock import Clock
from crony.errors import Fault
from crony.scheduler.moving.comparing import BATCH
from crony.scheduler.moving.lines import FORMAT, Header, Kind, read
from crony.scheduler.moving.outcome import Line, Outcome
from crony.scheduler.moving.piece import Piece
from crony.storage.contract import Store


class Arriving:
    """Takes lines in."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy

    def take(
        self, lines: Iterable[bytes], *, tenant: str | None = None, admin: bool = True
    ) -> Iterator[Outcome]:
        """Store what the lines of a piece say; yield what became of each.

        With ``tenant`` only lines of that one are taken. Keys of admins are for an
        ``admin`` to bring. Raises ``InvalidBody`` for a piece without a header that
        is known here, before anything is stored.
        """
        numbered = enumerate(lines, 1)
        header = _header(next(numbered, None))
        yield Outcome(line=1, word="read", kind=Kind.HEADER)
        piece = Piece(
            self._store,
            self._clock,
            self._entropy,
            header=header,
            tenant=tenant,
            admin=admin,
        )
        pending: list[Line] = []
        for number, line in numbered:
            found = piece.read(number, line)
            if isinstance(found, Outcome):
                yield found
                continue
            if pending and _apart(pending, found):
                yield from piece.store(pending)
                pending = []
            pending.append(found)
        if pending:
            yield from piece.store(pending)
        yield from piece.tried_again()


def _header(first: tuple[int, bytes] | None) -> Header:
    if first is None:
        raise errors.InvalidBody([Fault("", "is empty; send at least a header")])
    record = read(first[1])
    if not isinstance(record.value, Header):
        raise errors.InvalidBody(
            [Fault("", "must begin with the header, the first line of its export")]
        )
    if record.value.format > FORMAT:
        raise errors.InvalidBody(
            [
                Fault(
                    "/value/format",
                    f"is {record.value.format}, and this release reads up to "
                    f"{FORMAT}; import it with release {record.value.crony} or newer",
                )
            ]
        )
    return record.value


def _apart(pending: Sequence[Line], line: Line) -> bool:
    """Return whether a line is not to be stored in one step with those before it."""
    first = pending[0].record
    together = first.kind in (Kind.SCHEDULE, Kind.RUN)
    same = (first.kind, first.tenant) == (line.record.kind, line.record.tenant)
    # Out of order there is nothing to be said of what lies between.
    ordered = pending[-1].record.id < line.record.id
    return not (together and same and ordered) or len(pending) >= BATCH
