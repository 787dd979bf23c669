"""The spans that a service and its workers agree on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long leases last, and how far ahead of an instant work is done."""

    lease_ttl: timedelta = timedelta(seconds=60)
    #: How long a poll may wait.
    poll_wait: timedelta = timedelta(seconds=20)
    #: Runs are materialised and offered this long before their instant.
    lease_ahead: timedelta = timedelta(seconds=5)
    #: How long before its lease is over a worker stops a task by itself.
    margin: timedelta = timedelta(seconds=6)
