"""Events, in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter

from crony.model.event import Event
from crony.storage import changes
from crony.storage.codec import cut, kept
from crony.storage.contract import Events
from crony.storage.memory.state import Memory


class MemoryEvents(Events):
    """Events in a list."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def page(
        self,
        tenant: str,
        *,
        after: int,
        limit: int,
        types: frozenset[str] = frozenset(),
        schedule: str | None = None,
    ) -> Sequence[Event]:
        with self._memory.verb():
            events = self._memory.events
            # PERF: they stand in the order of their sequence.
            first = bisect_right(events, after, key=attrgetter("sequence"))
            found = (
                event
                for event in islice(events, first, None)
                if event.tenant == tenant
                and changes.wanted(event.type, types)
                and schedule in (None, event.schedule)
            )
            return kept(tuple(islice(found, limit)))

    def bounds(self, tenant: str) -> tuple[int, int]:
        with self._memory.verb():
            mine = [e.sequence for e in self._memory.events if e.tenant == tenant]
            return self._memory.forgotten.get(tenant, 0), max(mine, default=0)

    def prune(self, *, before: datetime, limit: int) -> int:
        memory = self._memory
        with memory.verb():
            old = [e for e in memory.events if e.at < cut(before)][:limit]
            gone = {event.sequence for event in old}
            for event in old:
                newest = memory.forgotten.get(event.tenant, 0)
                memory.forgotten[event.tenant] = max(newest, event.sequence)
            memory.events = [e for e in memory.events if e.sequence not in gone]
            return len(old)
