"""Hooks: tasks that follow what becomes of an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from crony.model.task import JsonObject


class HookKind(StrEnum):
    """What a hook follows.

    ``error``: an attempt ended failed or timed out, or the run failed since its last
    attempt was lost. ``progress``: time, while an attempt runs. ``success``: the run
    succeeded.
    """

    ERROR = "error"
    PROGRESS = "progress"
    SUCCESS = "success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A task to run; ``interval`` is that of a progress hook, else ``None``."""

    task: JsonObject
    interval: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A hook that is owed, and not a run yet.

    ``number`` counts the follow-ups of this kind and attempt, from 1.
    """

    tenant: str
    schedule: str
    run: str
    attempt: int
    kind: HookKind
    number: int
    at: datetime
