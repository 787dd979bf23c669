"""Values for tests: whole by default, and each says only what matters to it.

``make_schedule(name="a")`` puts what is a member of the definition there; the
rest are members of the schedule itself.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import TypeVar

from crony.model import ids
from crony.model.lease import Closing
from crony.model.policy import PolicySettings
from crony.model.run import LogChunk, Progress, Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import AttemptState, Origin, Reason, ScheduleState
from crony.model.trigger import Every
from crony.model.worker import Key, Quotas, Role, Tenant, Worker
from crony.storage.contract import Answer, Materialisation
from crony.testing.clock import START

_numbers = itertools.count(1)
_Value = TypeVar("_Value")


def make_id(prefix: str) -> str:
    """Return an id that nothing else has."""
    number = next(_numbers)
    return ids.timed(prefix, START, entropy=number.to_bytes(ids.ENTROPY, "big"))


def _with(value: _Value, changes: Mapping[str, object]) -> _Value:
    return replace(value, **changes)  # type: ignore[type-var]  # a dataclass each


def make_definition(**changes: object) -> Definition:
    """Return a definition: every minute, ``true``."""
    definition = Definition(
        name=None,
        description="",
        labels={},
        trigger=Every(timedelta(minutes=1)),
        start_at=None,
        end_at=None,
        max_runs=None,
        jitter=timedelta(),
        task={"command": ["true"]},
        queue="default",
        requires={},
        policy=PolicySettings(),
        paused=False,
    )
    return _with(definition, changes)


_WRITTEN = {f.name for f in fields(Definition)}


def make_schedule(**changes: object) -> Schedule:
    """Return an active schedule whose cursor is a minute after ``START``."""
    written = {name: changes.pop(name) for name in _WRITTEN & changes.keys()}
    schedule = Schedule(
        id=make_id(ids.SCHEDULE),
        tenant="default",
        revision=1,
        definition=make_definition(**written),
        state=ScheduleState.ACTIVE,
        cursor=START + timedelta(minutes=1),
        occurrences=0,
        created_at=START,
        updated_at=START,
    )
    return _with(schedule, changes)


def make_run(schedule: Schedule | None = None, **changes: object) -> Run:
    """Return a pending run of the schedule's occurrence at its cursor.

    An instant given as ``scheduled_for`` is also when it is due and available.
    """
    of = schedule or make_schedule()
    instant = changes.get("scheduled_for", of.cursor or START)
    origin = changes.get("origin", Origin.SCHEDULE)
    n = "0" if origin is Origin.SCHEDULE else str(next(_numbers))
    run = Run(
        id=ids.run_id(of.id, str(origin), instant, n),  # type: ignore[arg-type]
        tenant=of.tenant,
        schedule=of.id,
        schedule_name=of.definition.name,
        revision=of.revision,
        origin=Origin.SCHEDULE,
        scheduled_for=instant,  # type: ignore[arg-type]  # the caller's
        due_at=instant,  # type: ignore[arg-type]
        available_at=changes.get("due_at", instant),  # type: ignore[arg-type]
        queue=of.definition.queue,
        priority=of.definition.policy.priority or 0,
        max_lost=of.definition.policy.max_lost or 5,
        created_at=START,
    )
    return _with(run, changes)


def make_materialisation(schedule: Schedule, **changes: object) -> Materialisation:
    """Return the step that makes one run, and moves the cursor a minute on."""
    cursor = schedule.cursor or START
    item = Materialisation(
        schedule=schedule.id,
        tenant=schedule.tenant,
        revision=schedule.revision,
        cursor=cursor,
        next_cursor=cursor + timedelta(minutes=1),
        runs=(make_run(schedule),),
    )
    return _with(item, changes)


def make_worker(**changes: object) -> Worker:
    """Return a worker of the queue ``default``."""
    name = f"host-{next(_numbers)}"
    worker = Worker(
        id=make_id(ids.WORKER),
        tenant="default",
        name=name,
        machine=hashlib.sha256(str(changes.get("name", name)).encode()).hexdigest(),
        queues=("default",),
        labels={},
        slots=4,
        sandbox_level="full",
        version="1.0.0",
        registered_at=START,
        seen_at=START,
    )
    return _with(worker, changes)


def make_key(**changes: object) -> Key:
    """Return an editor's key."""
    identity = make_id(ids.KEY)
    key = Key(
        id=identity,
        tenant="default",
        role=Role.EDITOR,
        worker=None,
        description="",
        prefix="crony_Ab3dE",
        digest=hashlib.sha256(identity.encode()).hexdigest(),
        created_at=START,
        expires_at=None,
        used_at=None,
    )
    return _with(key, changes)


def make_tenant(**changes: object) -> Tenant:
    """Return a tenant at revision 1."""
    tenant = Tenant(
        name=f"tenant-{next(_numbers)}",
        revision=1,
        quotas=Quotas(),
        created_at=START,
        updated_at=START,
    )
    return _with(tenant, changes)


def make_closing(run: str, token: int, **changes: object) -> Closing:
    """Return the report of an attempt that succeeded, or failed by its exit code."""
    state = changes.get("state", AttemptState.SUCCEEDED)
    failed = state is AttemptState.FAILED
    closing = Closing(
        run=run,
        token=token,
        state=AttemptState.SUCCEEDED,
        reason=Reason.EXIT if failed else None,
        exit_code=1 if failed else 0,
        signal=None,
        error="exit code 1" if failed else None,
        result=None,
        lateness=timedelta(milliseconds=1),
        duration=timedelta(seconds=2),
        finished_at=START,
        sandbox_level="full",
        limits={"memory": 512 << 20},
        usage={"memory_peak": 18874368},
        retry_at=None,
    )
    return _with(closing, changes)


def make_progress(run: str, **changes: object) -> Progress:
    """Return an entry of the first attempt, at 40 %."""
    entry = Progress(
        run=run, attempt=1, source="task", at=START, percent=40.0, message="under way"
    )
    return _with(entry, changes)


def make_chunk(data: bytes, **changes: object) -> LogChunk:
    """Return a chunk of standard output, from its beginning."""
    return _with(LogChunk(stream="stdout", offset=0, data=data), changes)


def make_answer(**changes: object) -> Answer:
    """Return a claim that was not answered yet."""
    answer = Answer(
        resource=make_id(ids.SCHEDULE),
        digest=hashlib.sha256(b"body").hexdigest(),
        claimed_at=START,
    )
    return _with(answer, changes)
