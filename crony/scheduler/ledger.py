"""The ledger: every occurrence of a schedule, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from crony import errors
from crony.clock import EPOCH, MOMENT, Clock, cut
from crony.model import ids
from crony.model.moving import Pruned
from crony.scheduler.accounts import Account, Entry
from crony.scheduler.eras import history_of
from crony.storage.contract import Position, Store

#: How far the ledger looks back and ahead where it is not said.
SPAN = timedelta(days=1)

#: Arithmetic around an instant must stay within the calendar.
_LAST = ids.milliseconds(datetime(9999, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Some entries, where the ledger goes on, and what is left of what was pruned."""

    items: tuple[Entry, ...]
    next: Position | None
    pruned: Pruned | None


class Ledger:
    """Reads what was due and what became of it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def page(
        self,
        tenant: str,
        reference: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int,
        after: Position | None = None,
    ) -> LedgerPage:
        """Return the entries of a span, ``since`` inclusive and ``until`` exclusive.

        At default it reaches from a day back to a day ahead. Raises ``NotFound``.
        """
        now = cut(self._clock.now())
        start, end = span_of(since, until, now=now)
        if after is not None:
            start = instant_of(after[0])
        history = history_of(self._store, tenant, reference, since=start)
        account = Account(self._store, history, start=start, end=end - MOMENT, now=now)
        found = tuple(islice(account.entries(), limit + 1))
        schedule = history.schedule.id
        return LedgerPage(
            items=found[:limit],
            next=(ids.milliseconds(found[limit].at), schedule)
            if len(found) > limit
            else None,
            pruned=self._store.runs.pruned(tenant, schedule),
        )


def span_of(
    since: datetime | None, until: datetime | None, *, now: datetime
) -> tuple[datetime, datetime]:
    """Return the span that is meant where one or both ends are left open."""
    start = since if since is not None else min(now, until or now) - SPAN
    end = until if until is not None else max(now, start) + SPAN
    return start, end


def instant_of(value: object) -> datetime:
    """Return the instant in a cursor; raises ``InvalidParameter``."""
    if not isinstance(value, int) or not 0 <= value < _LAST:
        raise errors.InvalidParameter("cursor", "is not a cursor of this list")
    return EPOCH + timedelta(milliseconds=value)
