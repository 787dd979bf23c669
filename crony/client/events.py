"""What happened, and what happens."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from crony import errors
from crony.client.frames import frames_in
from crony.client.transport import Answer, Parameter, Transport

if TYPE_CHECKING:
    from crony.client.connection import Answered

#: A stream breathes every 15 s; after this much silence its connection is dead.
_SILENCE = timedelta(seconds=45)

#: Before a stream is opened again: first as the service asks, then ever slower.
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=15)

#: Answers that pass by themselves.
_PASSING = (429, 502, 503, 504)


class Events(Transport):
    """Events are CloudEvents; their ids are positions to go on from."""

    def list_events(self, **params: Parameter) -> Answer:
        """Get one page from the oldest on; ``next`` is the ``after`` to go on with."""
        return self._call("GET", "events", params=params)

    def each_event(self, **params: Parameter) -> Iterator[Answer]:
        """Walk through all that has happened up to now."""
        wanted = {"limit": 1000, **params}
        while True:
            page = self.list_events(**wanted)
            items = page["items"]
            if not isinstance(items, list) or not items:
                return
            yield from items
            wanted["after"] = str(page["next"])

    def newest_event(self) -> str:
        """Return a position after all that has happened until now."""
        # Of what happens rarely, since events of other types are passed over.
        after = None
        while True:
            page = self.list_events(types="worker.deleted", limit=1000, after=after)
            after = str(page["next"])
            if not page["items"]:
                return after

    def events(
        self,
        *,
        types: Sequence[str] = (),
        schedule: str | None = None,
        after: str | None = None,
    ) -> Iterator[Answer]:
        """Yield events as they happen, for ever; from now, or ``after`` an event.

        A stream that breaks is opened again and goes on after the last event that
        was yielded, however long the service is away: nothing is left out or comes
        twice. It raises ``errors.ServiceUnreachable`` when there is no service to
        begin with, and ``errors.Refused`` for what waiting does not mend, such as
        events that were pruned in between (410).
        """
        position = self.newest_event() if after is None else after
        params = {"types": ",".join(types) or None, "schedule": schedule}
        return self._resumed(params, position)

    def _resumed(
        self, params: dict[str, str | None], position: str
    ) -> Iterator[Answer]:
        reached, pause = False, _FIRST_PAUSE
        while True:
            try:
                with self._stream(params, position) as response, self._unreachable():
                    reached, pause = True, _FIRST_PAUSE
                    chunks = response.pieces()
                    for place, event in frames_in(chunks):
                        position = place
                        if event is not None:
                            yield event
            except errors.ServiceUnreachable:
                if not reached:
                    raise
            except errors.Refused as exc:
                if exc.status not in _PASSING:
                    raise
                pause = max(pause, exc.retry_after or pause)
            time.sleep(pause.total_seconds())
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _stream(self, params: dict[str, str | None], position: str) -> Answered:
        return self._respond(
            "GET",
            "events",
            params=params,
            headers={
                "Accept": "text/event-stream, application/problem+json",
                "Last-Event-ID": position,
            },
            stream=True,
            timeout=_SILENCE,
        )
