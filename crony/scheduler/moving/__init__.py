"""Moving house: what a tenant has leaves as lines, and arrives in another store.

::

    departure   a store → records, in an order in which each finds what it refers to
    lines       records ↔ lines of JSON
    sound       whether a record that was read is what it says it is
    arrival     what a record becomes on its way, as pure functions
    arriving    lines → a store, in pieces, again and again
    piece       one of them: its lines are read, compared and put
    comparing   what is there already, and what of it is gone where it came from
    single      records that go by themselves: all but schedules and runs
    outcome     what became of a line
    releasing   a tenant is held, and let go

A tenant that moves in is *held*: nothing of it comes due or is leased until it is
activated, so that of two services that have it never both let it run.
"""

from __future__ import annotations

from crony.scheduler.moving.arriving import Arriving
from crony.scheduler.moving.departure import Departure
from crony.scheduler.moving.lines import FORMAT, MEDIA_TYPE, Kind, Place
from crony.scheduler.moving.outcome import Outcome
from crony.scheduler.moving.releasing import Releasing

__all__ = [
    "FORMAT",
    "MEDIA_TYPE",
    "Arriving",
    "Departure",
    "Kind",
    "Outcome",
    "Place",
    "Releasing",
]
