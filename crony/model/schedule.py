"""A schedule: its definition, which the client writes, and its live part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crony.model.group import DEFAULT_GROUP
from crony.model.hook import Hook, HookKind
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
    group: str = DEFAULT_GROUP
    #: A profile's name.
    profile: str | None = None
    hooks: Mapping[HookKind, Hook] = field(default_factory=dict)


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
    #: Its group is paused, and that was carried over to it: see ``Group``.
    held: bool = False
    #: The rules of its zone by which the cursor was worked out; empty without one.
    rules: str = ""

    @property
    def paused(self) -> bool:
        """Whether nothing of it comes due, by itself or with its group."""
        return self.definition.paused or self.held

    @property
    def identity(self) -> str:
        """What ``H`` and cadence words are hashed from.

        A named schedule's is its name, so that a preview can tell it beforehand.
        """
        name = self.definition.name
        return f"{self.tenant}/{name}" if name is not None else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What was due of a schedule from an instant on, until the next version.

    There is one for each change of the definition, of ``held`` and of the rules of
    its zone.
    """

    schedule: str
    revision: int
    #: Exclusive: what was due by then stands under the version before. The first
    #: one begins just before the schedule's creation.
    since: datetime
    definition: Definition
    held: bool
    rules: str

    @property
    def paused(self) -> bool:
        """Whether what came due was skipped."""
        return self.definition.paused or self.held
