"""Events, in MongoDB.

Each has the next number of its tenant, given to it by the commit that leaves it; so
what is shown once a commit is applied has no holes. What was pruned is known by the
highest number alone: documents that are still there below it are not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import cast

from crony.model.event import TYPES, Event
from crony.model.schedule import Schedule
from crony.model.task import JsonObject
from crony.model.worker import Worker
from crony.storage import changes
from crony.storage.codec import dumps, instant_out
from crony.storage.contract import Events
from crony.storage.documents import Document, document_in
from crony.storage.mongodb import kinds, purging
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.work import Work

#: The number of the newest event.
_NEWEST = "events"
#: Up to this one they are not there any more.
_GONE = "events.gone"
#: The newest that was pruned; a new tenant knows nothing of those before it.
_PRUNED = "events.pruned"


class MongoEvents(Events):
    """Events as documents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(
        self,
        tenant: str,
        *,
        after: int,
        limit: int,
        types: frozenset[str] = frozenset(),
        schedule: str | None = None,
    ) -> Sequence[Event]:
        work = self._engine.glance(tenant)
        where = _shown(work, after=after)
        if types:
            where["type"] = {"$in": [t for t in TYPES if changes.wanted(t, types)]}
        if schedule is not None:
            where["schedule"] = schedule
        found = work.find(kinds.EVENTS, where, sort=[("sequence", 1)], limit=limit)
        return tuple(document_in(Event, document) for document in found)

    def bounds(self, tenant: str) -> tuple[int, int]:
        work = self._engine.glance(tenant)
        newest = work.number(_NEWEST)
        return work.number(_PRUNED), newest if newest > work.number(_GONE) else 0

    def prune(self, *, before: datetime, limit: int) -> int:
        purging.all_tenants(self._engine, limit=limit)
        end = instant_out(before)
        old = self._engine.everywhere(
            kinds.EVENTS,
            {"at": {"$lt": end}},
            sort=[("at", 1)],
            limit=limit,
            fields=["tenant"],
        )
        removed = 0
        for tenant in dict.fromkeys(cast("str", event["tenant"]) for event in old):
            removed += self._prune(tenant, end, limit=limit - removed)
        return removed

    def _prune(self, tenant: str, end: int, *, limit: int) -> int:
        """Forget a tenant's events up to the first that is not old."""

        def forget(work: Work) -> tuple[int, int]:
            found = work.find(
                kinds.EVENTS,
                _shown(work),
                sort=[("sequence", 1)],
                limit=limit,
                fields=["sequence", "at"],
            )
            old = list(takewhile(lambda event: cast("int", event["at"]) < end, found))
            if old:
                last = cast("int", old[-1]["sequence"])
                work.keep(_GONE, last)
                work.keep(_PRUNED, last)
            return len(old), work.number(_GONE)

        count, last = self._engine.verb(tenant, forget)
        # NOTE: by itself, and without tombstones: nothing shows these any more, nor
        # one of them that is written late.
        with translated():
            self._engine.database.in_order(kinds.EVENTS).delete_many(
                {"tenant": tenant, "sequence": {"$lte": last}}
            )
        return count


def _shown(work: Work, *, after: int = 0) -> Document:
    """Match the events that are there after one."""
    first = max(after, work.number(_GONE))
    return {"sequence": {"$gt": first, "$lte": work.number(_NEWEST)}}


def leave(
    work: Work,
    kind: str,
    subject: str,
    *,
    now: datetime,
    schedule: str | None = None,
    run: Document | None = None,
    data: JsonObject | None = None,
) -> None:
    """Leave an event; ``run`` is the document of a run's summary."""
    work.add(_NEWEST, 1)
    sequence = work.number(_NEWEST)
    work.insert(
        kinds.EVENTS,
        f"{sequence:020}",
        {
            "sequence": sequence,
            "type": kind,
            "subject": subject,
            "schedule": schedule,
            "at": instant_out(now),
            "run": run,
            "data": None if data is None else dumps(data),
        },
    )


def of_schedule(
    work: Work, schedule: Schedule, words: Sequence[str], *, now: datetime
) -> None:
    """Tell what happened to a schedule, in order."""
    data = changes.schedule_data(schedule)
    for word in words:
        leave(
            work,
            f"schedule.{word}",
            schedule.id,
            schedule=schedule.id,
            data=data,
            now=now,
        )


def of_worker(work: Work, worker: Worker, word: str, *, now: datetime) -> None:
    """Tell what happened to a worker."""
    data = changes.worker_data(worker, word)
    leave(work, f"worker.{word}", worker.id, data=data, now=now)


def forget(work: Work) -> None:
    """Show no event of a tenant that goes; no number of theirs is used again."""
    work.keep(_GONE, work.number(_NEWEST))
    work.keep(_PRUNED, None)
