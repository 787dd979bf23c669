"""Keeps the leases: renews them, on a connection of its own.

A quarter of the lease time between renewals, beside the long poll, so that one
lost answer costs nothing. What a renewal grants counts from its *sending*.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from crony import clock, errors, log
from crony.client import Client
from crony.model.task import JsonObject
from crony.worker import reading
from crony.worker.backoff import Backoff
from crony.worker.lease import Exchange
from crony.worker.roster import Roster, holding_of

_log = log.get(__name__)

_NAP = timedelta(seconds=1)
#: Whatever an answer says, it is not asked in circles.
_LEAST_TTL = timedelta(seconds=2)


class Keeper:
    """The loop; ``step`` is one renewal."""

    def __init__(
        self,
        client: Client,
        roster: Roster,
        *,
        worker: str,
        session: str,
        lease_ttl: timedelta,
        holding: Callable[[], Sequence[tuple[str, int]]],
        superseded: Callable[[], None],
        boottime: Callable[[], timedelta] = clock.boottime,
    ) -> None:
        self._client = client
        self._roster = roster
        self._worker = worker
        self._session = session
        self._registered_ttl = self._lease_ttl = lease_ttl
        self._holding = holding
        self._superseded = superseded
        self._now = boottime
        self._backoff = Backoff()
        self._closed = threading.Event()

    def run(self) -> None:
        """Renew until closed."""
        due = self._now() + self._interval
        while not self._closed.is_set():
            # NOTE: in short naps, since a wait stands still in a suspend.
            if (left := due - self._now()) > timedelta(0):
                self._closed.wait(min(left, _NAP).total_seconds())
                continue
            try:
                wait = self.step()
            except Exception:  # noqa: BLE001  # the loop's top: leases run out
                _log.exception("renewal broke")
                wait = _NAP
            due = self._now() + wait

    def close(self) -> None:
        """End the loop."""
        self._closed.set()

    @property
    def _interval(self) -> timedelta:
        return self._lease_ttl / 4

    def step(self) -> timedelta:
        """Renew everything that is held; return after what time to come again."""
        holding = self._holding()
        if not holding:
            return self._interval
        sent = self._now()
        try:
            answer = self._client.renew(
                self._worker,
                {"session": self._session, "holding": holding_of(holding)},
                timeout=max(self._interval, timedelta(seconds=1)),
            )
        except errors.ClientError as exc:
            if isinstance(exc, errors.Refused) and exc.status == 409:
                self._superseded()
            _log.warning("renewal failed", detail=str(exc))
            return min(self._backoff.after(exc), self._interval)
        self._backoff.reset()
        held = reading.duration(answer, "held")
        self.take(answer, Exchange(sent, held, self._now()))
        return self._interval

    def take(self, answer: JsonObject, exchange: Exchange) -> None:
        """Act on what an answer, of a renewal or a poll, says of leases."""
        granted = []
        for one in reading.objects(answer, "renewed"):
            expires_in = reading.duration(one, "expires_in")
            granted.append(exchange.held + expires_in)
            self._roster.renewed(
                reading.text(one, "run"),
                reading.integer(one, "token"),
                exchange.granted + expires_in,
            )
        if granted:
            # A service that was set up anew may grant less than at registration.
            shortest = min([*granted, self._registered_ttl])
            self._lease_ttl = max(shortest, _LEAST_TTL)
        for one in reading.objects(answer, "revoked"):
            self._roster.revoked(
                reading.text(one, "run"),
                reading.integer(one, "token"),
                reading.text(one, "reason"),
            )
