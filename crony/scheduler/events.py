"""Events: what happened, for whoever reads along or comes back later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crony import errors
from crony.clock import Clock
from crony.model import ids
from crony.model.event import Event
from crony.scheduler.rendering import Object, instant, summary
from crony.storage.contract import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Some events, and the position after them; what did not fit is passed over."""

    events: Sequence[Event]
    position: int
    #: Whether there may be more already.
    more: bool


class Events:
    """The events of a tenant, read from a position on.

    A position is a sequence: what is read lies above it.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def newest(self, tenant: str) -> int:
        """Return the position after all that has happened."""
        return max(self._store.events.bounds(tenant))

    def schedule(self, tenant: str, reference: str) -> str:
        """Return the id of a schedule, which may be deleted; raises ``NotFound``."""
        found = self._store.schedules.find(tenant, reference)
        if found is not None:
            return found.id
        if ids.looks_like_id(reference) and reference.startswith(ids.SCHEDULE):
            return reference
        raise errors.NotFound("schedule", reference[:200])

    def look(
        self,
        tenant: str,
        *,
        after: int | None,
        limit: int,
        types: frozenset[str] = frozenset(),
        schedule: str | None = None,
    ) -> Look:
        """Return what happened after a position, ``None`` for all that is kept.

        Raises ``EventsPruned`` when something after it is gone already, or nothing has
        come that far.
        """
        events = self._store.events
        # Before the look: what comes in between is not passed over.
        newest = self.newest(tenant)
        found = events.page(
            tenant, after=after or 0, limit=limit, types=types, schedule=schedule
        )
        # After it: what went in between is not passed over either.
        pruned, _ = events.bounds(tenant)
        if after is not None and after < pruned:
            raise errors.EventsPruned(
                "events after that one are no longer kept; begin without it, and "
                "read what was missed from GET /runs"
            )
        if after is not None and after > max(newest, pruned):
            # It would tell of nothing for as long as the count takes to come there.
            raise errors.EventsPruned(
                "there has been no such event here, as after the store was restored "
                "from a copy; begin without it, and read what was missed from GET /runs"
            )
        last = found[-1].sequence if found else 0
        more = len(found) >= limit
        position = last if more else max(last, newest, after or 0)
        return Look(events=found, position=position, more=more)

    def mark(self, look: Look) -> str:
        """Return the id to go on from: of the last event, or of a place after it."""
        last = look.events[-1] if look.events else None
        if last is None:
            return self.place(look.position)
        return ids.event_id(last.at, look.position)

    def place(self, position: int) -> str:
        """Return the id to go on from a position, where no event says it."""
        return ids.event_id(self._clock.now(), position)


def event_id(event: Event) -> str:
    """Return an event's id."""
    return ids.event_id(event.at, event.sequence)


def told(event: Event) -> Object:
    """Return an event as everybody is told of it: a CloudEvent."""
    return envelope(
        event_id(event),
        tenant=event.tenant,
        kind=event.type,
        subject=event.subject,
        at=event.at,
        data=summary(event.run) if event.run is not None else dict(event.data or {}),
    )


def envelope(
    id: str, *, tenant: str, kind: str, subject: str, at: datetime, data: Object
) -> Object:
    """Return the members of a CloudEvent."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": f"urn:crony:tenant:{tenant}",
        "type": kind,
        "subject": subject,
        "time": instant(at),
        "datacontenttype": "application/json",
        "data": data,
    }
