"""Events: what happened, in order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crony.model.run import Run
from crony.model.state import RunState
from crony.model.task import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a run, a schedule or a worker.

    ``sequence`` grows in the order in which events became visible. ``run`` is the
    summary of the run as it was right after (for ``run.*``), ``data`` what else
    there is to say (``schedule.*``: id, name, revision; ``worker.*``: id, name,
    state).
    """

    sequence: int
    tenant: str
    #: Such as ``run.succeeded``.
    type: str
    #: The id of the run, schedule or worker.
    subject: str
    #: The schedule it concerns, if any: events of one are in causal order.
    schedule: str | None
    at: datetime
    run: Run | None = None
    data: JsonObject | None = None


#: What may happen to a run, a schedule and a worker.
RUN_EVENTS = (*(state.value for state in RunState), "progress", "lost", "preempted")
SCHEDULE_EVENTS = ("created", "updated", "paused", "resumed", "finished", "deleted")
WORKER_EVENTS = ("registered", "draining", "lost", "deleted")

_NOUNS = {"run": RUN_EVENTS, "schedule": SCHEDULE_EVENTS, "worker": WORKER_EVENTS}
#: Every type of event there is.
TYPES = tuple(f"{noun}.{word}" for noun, words in _NOUNS.items() for word in words)
#: What may be asked for: also all of a noun.
FILTERS = (*(f"{noun}.*" for noun in _NOUNS), *TYPES)
