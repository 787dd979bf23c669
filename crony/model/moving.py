"""What moves house: a tenant's schedules and runs, with all that a store keeps of
them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from crony.model.hook import FollowUp
from crony.model.run import LogChunk, Progress, Run
from crony.model.schedule import Definition, Schedule, Version
from crony.model.state import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What is left of a schedule's runs that were pruned.

    ``until`` is the latest instant that one of them stood for; ``occurrences`` and
    ``others`` count those of origin ``schedule`` and the rest, by the state they
    ended in (a stretch with its count).
    """

    until: datetime
    occurrences: Mapping[RunState, int]
    others: Mapping[RunState, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedSchedule:
    """A schedule that moves, or what is left of a deleted one.

    Every definition that a run of it executes, or a version was due under, is there
    by its revision.
    """

    tenant: str
    id: str
    #: ``None`` of a deleted schedule.
    schedule: Schedule | None
    limit: int
    definitions: Mapping[int, Definition]
    #: Oldest first.
    versions: tuple[Version, ...]
    pruned: Pruned | None = None
    #: Newest first.
    progress: tuple[Progress, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedRun:
    """A run that moves; ``output`` is what is kept of its attempts', by token.

    What came under the token of an offer that was taken back is nobody's, and stays.
    """

    run: Run
    output: Mapping[int, tuple[LogChunk, ...]] = field(default_factory=dict)
    #: What a hook said, by token.
    says: Mapping[int, str] = field(default_factory=dict)
    #: Hooks of it that are owed, by attempt, kind and number.
    follow_ups: tuple[FollowUp, ...] = ()
