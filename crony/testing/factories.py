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
from crony.model.event import Event
from crony.model.group import Group, Profile
from crony.model.hook import Hook, HookKind
from crony.model.lease import Closing
from crony.model.policy import (
    REPLACE,
    SCHEDULE,
    SKIP,
    Policy,
    PolicySettings,
    resolve,
)
from crony.model.run import LogChunk, Progress, Run
from crony.model.schedule import Definition, Schedule
from crony.model.state import (
    AttemptState,
    Origin,
    Reason,
    RunState,
    ScheduleState,
)
from crony.model.trigger import Every
from crony.model.webhook import Delivery, Webhook
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

    An instant given as ``scheduled_for`` is also when it is due and available. Policy,
    hooks and what follows from them are those that the definition sets.
    """
    of = schedule or make_schedule()
    instant = changes.get("scheduled_for", of.cursor or START)
    origin = changes.get("origin", Origin.SCHEDULE)
    held = changes.get("policy", _policy_of(of))
    assert isinstance(held, Policy)
    progress = of.definition.hooks.get(HookKind.PROGRESS)
    n = "0" if origin is Origin.SCHEDULE else str(next(_numbers))
    run = Run(
        id=ids.run_id(of.id, str(origin), instant, n),  # type: ignore[arg-type]
        tenant=of.tenant,
        schedule=of.id,
        schedule_name=of.definition.name,
        revision=of.revision,
        origin=Origin.SCHEDULE,
        scheduled_for=instant,  # type: ignore[arg-type]  # the caller's
        due_at=changes.get("due_at", instant),  # type: ignore[arg-type]
        available_at=changes.get("due_at", instant),  # type: ignore[arg-type]
        queue=of.definition.queue,
        group=of.definition.group,
        policy=held,
        hooks=frozenset(of.definition.hooks),
        hook_interval=progress.interval if progress else None,
        priority=held.priority,
        max_lost=held.max_lost,
        created_at=START,
    )
    if held.deadline is not None:
        run = replace(run, deadline_at=run.due_at + held.deadline)
    if origin is Origin.SCHEDULE and held.on_overlap in (SKIP, REPLACE):
        run = replace(run, overlap=held.on_overlap)
    return _with(run, changes)


def _policy_of(schedule: Schedule) -> Policy:
    policy, _ = resolve((SCHEDULE, schedule.definition.policy))
    return policy


def make_hook_run(parent: Run, kind: HookKind, **changes: object) -> Run:
    """Return the run of a hook that follows the newest attempt of a run."""
    run = replace(
        parent,
        id=ids.run_id(parent.schedule, "hook", START, str(next(_numbers))),
        origin=Origin.HOOK,
        parent=parent.id,
        hook=kind,
        hook_attempt=max(1, parent.attempt),
        hooks=frozenset(),
        hook_interval=None,
        overlap=None,
        deadline_at=None,
        state=RunState.PENDING,
        reason=None,
        started_at=None,
        finished_at=None,
        attempt=0,
        token=0,
        attempts=(),
        progress=None,
        result=None,
    )
    return _with(run, changes)


def make_hooks(*kinds: HookKind, interval: float = 30) -> Mapping[HookKind, Hook]:
    """Return hooks of these kinds; ``interval`` is that of a progress hook, in s."""
    every = timedelta(seconds=interval)
    return {
        kind: Hook(
            task={"command": ["true"]},
            interval=every if kind is HookKind.PROGRESS else None,
        )
        for kind in kinds
    }


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


def make_group(**changes: object) -> Group:
    """Return a group at revision 1, not paused."""
    group = Group(
        name=f"group-{next(_numbers)}",
        tenant="default",
        revision=1,
        since=START,
        created_at=START,
        updated_at=START,
    )
    return _with(group, changes)


def make_profile(**changes: object) -> Profile:
    """Return a profile at revision 1 that sets a priority."""
    profile = Profile(
        name=f"profile-{next(_numbers)}",
        tenant="default",
        revision=1,
        settings=PolicySettings(priority=1),
        created_at=START,
        updated_at=START,
    )
    return _with(profile, changes)


def make_webhook(**changes: object) -> Webhook:
    """Return a webhook for all events, from the first on."""
    webhook = Webhook(
        name=f"webhook-{next(_numbers)}",
        tenant="default",
        revision=1,
        url="https://hooks.example.com/crony",
        secret="whsec_c2VjcmV0",
        created_at=START,
        updated_at=START,
    )
    return _with(webhook, changes)


def make_event(**changes: object) -> Event:
    """Return the event of a run that was made."""
    run = changes.pop("run", None) or make_run()
    assert isinstance(run, Run)
    event = Event(
        sequence=next(_numbers),
        tenant=run.tenant,
        type=f"run.{run.state}",
        subject=run.id,
        schedule=run.schedule,
        at=START,
        run=replace(run, attempts=(), result=None),
    )
    return _with(event, changes)


def make_delivery(
    webhook: Webhook, event: Event | None = None, **changes: object
) -> Delivery:
    """Return a delivery of the event that was not tried yet, and may be at once."""
    delivery = Delivery(
        webhook=webhook.name,
        tenant=webhook.tenant,
        event=event or make_event(tenant=webhook.tenant),
        next_at=START,
        created_at=START,
    )
    return _with(delivery, changes)


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
