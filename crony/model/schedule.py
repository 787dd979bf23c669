"""A schedule: its definition, which the client writes, and its live part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from crony.model.policy import PolicySettings
from crony.model.state import ScheduleState
from crony.model.task import JsonObject
from crony.model.trigger import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """All that a client writes; each revision of it is kept while runs refer to it."""

    name: str | None
    description: str
    labels: Mapping[str, str]
    trigger: Trigger
    #: Inclusive.
    start_at: datetime | None
    #: Exclusive.
    end_at: datetime | None
    #: Counts occurrences, whatever their end, those withdrawn apart.
    max_runs: int | None
    jitter: timedelta
    task: JsonObject
    queue: str
    #: Each must equal the worker's label of that name.
    requires: Mapping[str, str]
    policy: PolicySettings
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule as the store keeps it."""

    id: str
    tenant: str
    #: Counts changes of the definition only; starts at 1.
    revision: int
    definition: Definition
    state: ScheduleState
    #: The first instant that is not settled; ``None`` when none will come.
    #: Only moves forward, save that an edit computes it anew from its instant.
    cursor: datetime | None
    #: How many occurrences count towards ``max_runs``.
    occurrences: int
    created_at: datetime
    updated_at: datetime

    @property
    def identity(self) -> str:
        """What ``H`` and cadence words are hashed from.

        A named schedule's is its name, so that a preview can tell it beforehand.
        """
        name = self.definition.name
        return f"{self.tenant}/{name}" if name is not None else self.id
