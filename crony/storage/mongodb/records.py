"""Runs as documents, with what only the store knows of them.

A document has the run's members by name, what else is to be kept, and what it is found
by. Of these last, most are there only while the run is to be found so: what is over
is in no index of what is due.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from crony.model import policy
from crony.model.group import DEFAULT_GROUP
from crony.model.run import Run
from crony.model.state import EXECUTING, HELD, UNCONFIRMED, Origin, RunState
from crony.storage import rules
from crony.storage.codec import instant_out
from crony.storage.documents import Document, document_in, document_out

#: The members of an event's run that are left out of it.
_LONG: Document = {"attempts": [], "result": None}

#: When a run ended; of hooks' runs, which are kept for as long as what they follow, it
#: is another member.
ENDED_AT, HOOK_ENDED_AT = "ended_at", "hook_ended_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease that is live: its run is leased, running or stopping."""

    worker: str
    start_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A pending run that only this worker may take, until then."""

    worker: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """When a running run's progress hook is due next, and how often it was."""

    next_at: datetime
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Tokens that a worker was given, one after the other, offers included."""

    worker: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a hook said in the attempt with a token."""

    token: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What the store alone knows of a run."""

    #: What it asks of a worker: see ``lanes``.
    lane: str
    admitted: bool = False
    #: Pending, and not available when it became so.
    waiting: bool = False
    lease: Lease | None = None
    reserved: Reservation | None = None
    pulse: Pulse | None = None
    grants: tuple[Grant, ...] = ()
    says: tuple[Said, ...] = ()

    def granted(self, token: int) -> str | None:
        """Return the worker that was given a token."""
        return next((g.worker for g in self.grants if g.first <= token <= g.last), None)

    def grant(self, worker: str, token: int) -> tuple[Grant, ...]:
        """Return the grants with the newest token's."""
        *before, last = self.grants or (None,)
        if last is not None and last.worker == worker and last.last == token - 1:
            return (*before, replace(last, last=token))
        return (*self.grants, Grant(worker=worker, first=token, last=token))


@dataclass(frozen=True, slots=True)
class Record:
    """A run, and what the store knows of it."""

    run: Run
    keeping: Keeping

    @property
    def offered(self) -> bool:
        """Whether the run is pending and admitted."""
        return self.run.state is RunState.PENDING and self.keeping.admitted

    @property
    def lease(self) -> Lease:
        """The lease of a run that is in a worker's hands."""
        if self.keeping.lease is None:
            raise AssertionError(f"{self.run.id} is held and has no lease")
        return self.keeping.lease


def record_in(document: Document) -> Record:
    """Return the record of a document."""
    return Record(document_in(Run, document), document_in(Keeping, document))


def record_out(record: Record, before: Document | None = None) -> Document:
    """Return the document of a record; ``before`` is one of the very same run."""
    run, keeping = record.run, record.keeping
    found_by = {
        **_found_always(run),
        **(_found_pending(record) if run.state is RunState.PENDING else {}),
        **(_found_held(run, keeping.lease) if keeping.lease is not None else {}),
    }
    if run.deadline_at is not None and run.state in UNCONFIRMED:
        found_by["start_by"] = instant_out(run.deadline_at)
    if keeping.pulse is not None:
        found_by["pulse_at"] = instant_out(keeping.pulse.next_at)
    of_run = (
        document_out(run)
        if before is None
        else {name: before[name] for name in _MEMBERS if name in before}
    )
    return {**of_run, **document_out(keeping), **found_by}


def summary_out(document: Document) -> Document:
    """Return the document of a run's summary, of that of its record."""
    summary = {name: document[name] for name in _RUN_MEMBERS if name in document}
    return {**summary, **_LONG}


def summary_in(document: Document) -> Run:
    """Return the run of a record's document, without its attempts and result."""
    return document_in(Run, {**document, **_LONG})


_MEMBERS = tuple(Run.__dataclass_fields__)
_RUN_MEMBERS = tuple(f for f in _MEMBERS if f not in _LONG)

#: What is read of documents of which only summaries are wanted.
SUMMARY = (*_RUN_MEMBERS, "tenant")


def _found_always(run: Run) -> Document:
    at = instant_out(run.scheduled_for)
    found: Document = {}
    if run.attempts:
        found["worker"] = run.attempts[-1].worker
    if run.group != DEFAULT_GROUP:
        found["grouped"] = run.group
    if run.origin is not Origin.SCHEDULE:
        found["made_by"] = run.origin.value
    if run.state is not RunState.WITHDRAWN and run.origin is not Origin.HOOK:
        found["shown_for"] = at
    if run.over and run.attempt and run.origin is not Origin.HOOK:
        found["executed_for"] = at
    if run.over:
        of_hook = run.origin is Origin.HOOK
        member = HOOK_ENDED_AT if of_hook else ENDED_AT
        found[member] = instant_out(run.finished_at or run.created_at)
    return found


def _found_pending(record: Record) -> Document:
    """Return what a pending run is found by."""
    run, keeping = record.run, record.keeping
    found: Document = {
        "untried": run.attempt == 0,
        "turn": instant_out(rules.turn(run)),
    }
    if keeping.waiting:
        found["ready_at"] = instant_out(run.available_at)
    elif keeping.admitted:
        found["open_lane"] = keeping.lane
    if run.overlap is not None:
        found["decide_at"] = instant_out(run.due_at)
    return found


def _found_held(run: Run, lease: Lease) -> Document:
    """Return what a run in a worker's hands is found by."""
    found: Document = {"holder": lease.worker}
    if run.state is RunState.LEASED:
        found["confirm_by"] = instant_out(lease.start_at + policy.CONFIRM_GRACE)
    elif run.state in EXECUTING:
        found["lease_ends"] = instant_out(lease.expires_at)
    if run.state is RunState.RUNNING and run.policy.preemptible:
        found["yields"] = run.priority
    return found


def counts(run: Run) -> bool:
    """Return whether a run takes a place up, in its schedule, group and tenant."""
    return run.state in HELD and run.origin is not Origin.HOOK
