"""Hooks: what is owed after an attempt, or while one goes on, becomes runs.

The store notes what is owed in the step that makes it so. Here each such note is
made a run, and forgotten after that. The run's id follows from the note, so that a
crash in between, or two nodes, make one run and not two.

A hook is bounded: it is tried once, for a minute at most, it counts towards no limit,
and has no hooks of its own. One that looks how far a run is has until the next one is
due, and none is started beside another. The others of a schedule wait as what catches
up does while an earlier one is not over: half of a worker's slots stay free of them.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crony import errors, log
from crony.clock import cut
from crony.model import ids
from crony.model.hook import FollowUp, Hook, HookKind
from crony.model.lease import Closing
from crony.model.policy import QUEUE, Policy, Retries
from crony.model.run import LogChunk, Run
from crony.model.state import EXECUTING, TERMINAL, Origin, RunState
from crony.model.task import Json, JsonObject
from crony.scheduler.rendering import instant, plain, summary
from crony.scheduler.wakes import Wakes
from crony.storage.contract import RunQuery, Store

_log = log.get(__name__)

#: How many are made in one step.
_LIMIT = 100

#: How long a hook may take,
_LONGEST = timedelta(minutes=1)
#: and how long one that no interval bounds may wait for a worker: where they fail
#: faster than they run, they must not pile up for ever.
WAIT = timedelta(hours=1)

#: Bytes of what a hook printed that are kept of its output, and with the schedule.
_LOG = 64 << 10
SAYS = 4 << 10

_UNFINISHED = frozenset(RunState) - TERMINAL - {RunState.WITHDRAWN}


class Hooks:
    """Makes runs of the hooks that are owed."""

    def __init__(self, store: Store, *, wakes: Wakes) -> None:
        self._store = store
        self._wakes = wakes
        #: Those that can't be made runs.
        self._bad: set[FollowUp] = set()

    def step(self, now: datetime) -> bool:
        """Make a number of runs; return whether another step at once would do more."""
        self._store.leases.pulse(now=now, limit=_LIMIT)
        # Those that can't be made stay owed: they must not be all that is found.
        limit = _LIMIT + len(self._bad)
        owed = self._store.runs.follow_ups(limit=limit)
        self._bad.intersection_update(owed)
        done = [item for item in owed if self._follow(item, now=now)]
        if not done:
            return False
        # Only now: whoever crashes before this makes the same runs again.
        self._store.runs.followed(done)
        return len(owed) == limit

    def _follow(self, item: FollowUp, *, now: datetime) -> bool:
        """Make the run of a hook, if it is wanted; return whether that is done."""
        try:
            run = self._run(item, now=now)
            if run is not None:
                self._insert(run)
        except errors.Unavailable:
            raise
        except Exception:  # noqa: BLE001  # one bad row must not stop the others
            if item not in self._bad:
                self._bad.add(item)
                _log.exception(
                    "a hook can't follow its run",
                    tenant=item.tenant,
                    run=item.run,
                    hook=item.kind,
                )
            return False
        return True

    def _run(self, item: FollowUp, *, now: datetime) -> Run | None:
        """Return the run of a hook, or ``None`` where nobody wants it any more."""
        if self._store.schedules.find(item.tenant, item.schedule) is None:
            return None
        parent = self._store.runs.find(item.tenant, item.run)
        if parent is None:
            return None
        definition = self._store.schedules.definition(
            item.tenant, item.schedule, parent.revision
        )
        hook = definition.hooks.get(item.kind) if definition is not None else None
        if hook is None:
            return None
        if item.kind is HookKind.PROGRESS and not self._wanted(item, parent, now=now):
            return None
        return _made(item, parent, hook, behind=self._behind(item), now=now)

    def _behind(self, item: FollowUp) -> bool:
        """Whether earlier hooks of the schedule, apart from looks, are not over yet.

        Those that hang, of a schedule that fails all the time, would come to fill
        every slot of its workers: so what comes after the first one catches up.
        """
        if item.kind is HookKind.PROGRESS:
            return False  # there is one for each run at most, until the next is due
        query = RunQuery(schedule=item.schedule, origin=Origin.HOOK, states=_UNFINISHED)
        found = self._store.runs.page(item.tenant, query, limit=10, after=None).items
        return any(run.hook is not HookKind.PROGRESS for run in found)

    def _wanted(self, item: FollowUp, parent: Run, *, now: datetime) -> bool:
        """Whether the attempt goes on, and the look before this one is over."""
        if parent.state is not RunState.RUNNING or parent.attempt != item.attempt:
            return False
        query = RunQuery(
            schedule=item.schedule,
            origin=Origin.HOOK,
            parent=item.run,
            states=_UNFINISHED,
        )
        # There are two more at most: the other kinds follow an attempt's end.
        found = self._store.runs.page(item.tenant, query, limit=10, after=None).items
        return not any(_looks(run, now=now) for run in found)

    def _insert(self, run: Run) -> None:
        try:
            stored, ready, recalled = self._store.runs.insert(run, quota=None)
        except errors.NotFound:
            return  # the schedule was deleted just now
        if stored:
            _log.info(
                "hook is due",
                tenant=run.tenant,
                schedule=run.schedule,
                run=run.id,
                hook=run.hook,
            )
        self._wakes.publish(ready)
        for worker in recalled:
            self._wakes.publish_worker(worker)


def _looks(run: Run, *, now: datetime) -> bool:
    """Whether a progress hook looks still, or will: at its deadline it gives way."""
    if run.hook is not HookKind.PROGRESS:
        return False
    if run.state in EXECUTING:
        return True
    return run.deadline_at is None or run.deadline_at > now


def _made(
    item: FollowUp, parent: Run, hook: Hook, *, behind: bool, now: datetime
) -> Run:
    number = f"{item.run}.{item.attempt}.{item.kind}.{item.number}"
    policy = _bounded(parent.policy, hook)
    return Run(
        id=ids.run_id(item.schedule, Origin.HOOK, parent.scheduled_for, number),
        tenant=item.tenant,
        schedule=item.schedule,
        schedule_name=parent.schedule_name,
        revision=parent.revision,
        origin=Origin.HOOK,
        parent=item.run,
        group=parent.group,
        policy=policy,
        scheduled_for=parent.scheduled_for,
        due_at=item.at,
        available_at=item.at,
        deadline_at=item.at + (policy.deadline or WAIT),
        catch_up=behind,
        hook=item.kind,
        hook_attempt=item.attempt,
        queue=parent.queue,
        priority=policy.priority,
        max_lost=policy.max_lost,
        overrides=facts(item, parent),
        created_at=cut(now),
    )


def _bounded(policy: Policy, hook: Hook) -> Policy:
    """Return the policy of a run, as far as it holds for a hook of it."""
    return replace(
        policy,
        max_runtime=min(hook.interval or _LONGEST, _LONGEST, policy.max_runtime),
        on_overlap=QUEUE,
        retries=Retries(max=0),
        deadline=hook.interval or WAIT,
        preemptible=False,
        retention=replace(policy.retention, log=min(policy.retention.log, _LOG)),
    )


def facts(item: FollowUp, parent: Run) -> JsonObject:
    """Return what a hook is told of the run it follows: environment and stdin."""
    attempt = next((a for a in parent.attempts if a.number == item.attempt), None)
    known: dict[str, str | None] = {
        "HOOK": item.kind.value,
        "PARENT_RUN_ID": parent.id,
        "PARENT_STATE": plain(parent.state),
        "PARENT_REASON": plain(parent.reason),
        "PARENT_ATTEMPT": str(item.attempt),
        "PARENT_STARTED_AT": instant(parent.started_at),
    }
    if attempt is not None:
        code = attempt.exit_code
        known |= {
            "PARENT_ATTEMPT_STATE": plain(attempt.state),
            "PARENT_REASON": plain(attempt.reason),
            "PARENT_EXIT_CODE": None if code is None else str(code),
            "PARENT_SIGNAL": attempt.signal,
            "PARENT_ERROR": attempt.error,
        }
    env = {f"CRONY_{name}": value or "" for name, value in known.items()}
    return {"env": env, "stdin": json.dumps(summary(parent), ensure_ascii=False) + "\n"}


def says(store: Store, run: Run, closing: Closing) -> str | None:
    """Return what a hook's newest attempt printed, bounded; ``None`` for nothing.

    What it wrote on stdout comes first, then what there is room for of stderr. A
    request prints nothing: what counts is what it was answered.
    """
    if run.hook is None:
        return None
    chunks, _ = store.logs.read(run.tenant, run.id, attempt=run.attempt, after=0)
    printed = _of(chunks, "stdout") or _answered(closing.result)
    printed += _of(chunks, "stderr")[: SAYS - len(printed)]
    # A character that was cut in two is left out; what is no text is marked.
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(printed)
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").strip() or None


def _answered(result: Json) -> bytes:
    body = result.get("body") if isinstance(result, Mapping) else None
    return body.encode()[:SAYS] if isinstance(body, str) else b""


def _of(chunks: Sequence[LogChunk], stream: str) -> bytes:
    return b"".join(chunk.data for chunk in chunks if chunk.stream == stream)[:SAYS]
