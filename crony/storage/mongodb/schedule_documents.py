"""Schedules and their versions as documents.

A document has the schedule's members by name, and what it is found by. What is left of
a deleted one says that its id was used, and how it was limited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from crony import log
from crony.model.schedule import Schedule, Version
from crony.model.state import ScheduleState
from crony.storage.codec import instant_out, trigger_kind
from crony.storage.documents import Document, document_in, document_out

_log = log.get(__name__)

#: Beyond every instant, and after every name: what has none comes last.
NEVER = 2**63 - 1
NAMELESS = "~"


@dataclass(frozen=True, slots=True)
class Stored:
    """A schedule that ever was, with its limit; ``schedule`` while it is there."""

    id: str
    limit: int
    #: How many versions there were.
    versions: int
    schedule: Schedule | None


def stored_in(document: Document) -> Stored:
    """Return what a document says."""
    return Stored(
        cast("str", document["id"]),
        cast("int", document["limit"]),
        cast("int", document["versions"]),
        schedule_in(document) if document["there"] else None,
    )


def schedule_in(document: Document) -> Schedule:
    """Return the schedule of a document that has one."""
    return document_in(Schedule, document)


def readable(found: Iterable[Document]) -> Iterator[Schedule]:
    """Return the schedules of documents, without those that can't be read back.

    For the work that goes over the schedules of all tenants: a damaged document, or
    one of a newer release, must not stop that of the others. Each is told of once.
    """
    for document in found:
        try:
            yield schedule_in(document)
        except Exception:  # noqa: BLE001  # whatever is wrong with it
            name = str(document["_id"])
            if name not in _told:
                if len(_told) >= _TOLD:
                    _told.clear()
                _told.add(name)
                _log.exception(
                    "a schedule can't be read back",
                    tenant=document.get("tenant"),
                    schedule=document.get("id"),
                )


#: The schedules that were told of, as many as are remembered at most.
_TOLD = 1_000
_told: set[str] = set()


def stored_out(stored: Stored) -> Document:
    """Return the document of a schedule that ever was."""
    schedule = stored.schedule
    document: Document = {
        "id": stored.id,
        "limit": stored.limit,
        "versions": stored.versions,
        "there": schedule is not None,
    }
    if schedule is None:
        return document
    return {**document, **document_out(schedule), **_found(schedule)}


def _found(schedule: Schedule) -> Document:
    """Return what a schedule is found by."""
    written = schedule.definition
    name = written.name
    found: Document = {
        "name": NAMELESS if name is None else name,
        "next_at": NEVER if schedule.cursor is None else instant_out(schedule.cursor),
        "group": written.group,
        "queue": written.queue,
        "trigger": trigger_kind(written.trigger),
        "labels": [f"{key}={value}" for key, value in written.labels.items()],
        "profile": written.profile,
    }
    if schedule.state is ScheduleState.ACTIVE and schedule.cursor is not None:
        found["due_at"] = instant_out(schedule.cursor)
    return found


def version_out(version: Version, *, number: int) -> Document:
    """Return the document of a version."""
    return {**document_out(version), "number": number}


def version_in(document: Document) -> Version:
    """Return the version of a document."""
    return document_in(Version, document)
