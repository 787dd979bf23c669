"""What the requests of one process share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from crony.api.metrics import Metrics
from crony.api.polls import Hub
from crony.api.pool import Pool
from crony.api.rate import Rates
from crony.api.streams import Streams
from crony.api.tails import Tails
from crony.config import Settings
from crony.scheduler.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One process of the service."""

    service: Service
    settings: Settings
    pool: Pool
    polls: Hub
    tails: Tails
    streams: Streams
    rates: Rates
    metrics: Metrics

    def now(self) -> datetime:
        """Return the store's time to the millisecond, as it is kept."""
        now = self.service.clock.now()
        return now - timedelta(microseconds=now.microsecond % 1000)
