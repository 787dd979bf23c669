"""What every driver says alike of changes: the events of them, and refusals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from crony import errors
from crony.model.group import DEFAULT_GROUP, Group
from crony.model.run import Run
from crony.model.schedule import Schedule, Version
from crony.model.state import AttemptState
from crony.model.task import JsonObject
from crony.model.worker import Tenant, Worker, WorkerState

#: The ends of attempts that leave an event of their own, before the run's state.
ENDS_TOLD = frozenset({AttemptState.LOST, AttemptState.PREEMPTED})

#: So many of those that refer to a thing are named.
_NAMED = 5


def of_update(before: Schedule, after: Schedule) -> Sequence[str]:
    """Return the words of the events that an edited schedule leaves, in order."""
    words = []
    if before.paused != after.paused:
        words.append("paused" if after.paused else "resumed")
    elif before.revision != after.revision:
        words.append("updated")
    if before.cursor is not None and after.cursor is None:
        words.append("finished")
    return words


def told_end(before: Run | None, run: Run) -> AttemptState | None:
    """Return how an attempt has ended, where that is told by itself."""
    if before is None or not run.attempts:
        return None
    newest = run.attempts[-1]
    was = before.attempt_under(newest.token)
    ends = was is not None and was.state is not newest.state
    return newest.state if ends and newest.state in ENDS_TOLD else None


def is_other_version(before: Schedule, after: Schedule) -> bool:
    """Return whether what comes due is another thing from now on."""
    return (before.revision, before.held, before.rules) != (
        after.revision,
        after.held,
        after.rules,
    )


def version_of(schedule: Schedule, *, since: datetime) -> Version:
    """Return the version of a schedule that begins then."""
    return Version(
        schedule=schedule.id,
        revision=schedule.revision,
        since=since,
        definition=schedule.definition,
        held=schedule.held,
        rules=schedule.rules,
    )


def schedule_data(schedule: Schedule) -> JsonObject:
    """Return what an event of a schedule says."""
    return {
        "id": schedule.id,
        "name": schedule.definition.name,
        "revision": schedule.revision,
    }


def worker_data(worker: Worker, word: str) -> JsonObject:
    """Return what an event ``worker.<word>`` says."""
    state = WorkerState.ONLINE.value if word == "registered" else word
    return {"id": worker.id, "name": worker.name, "state": state}


def wanted(kind: str, types: Collection[str]) -> bool:
    """Return whether an event's type is among those that were asked for."""
    family = kind.partition(".")[0] + ".*"
    return not types or kind in types or family in types


def default_group(tenant: Tenant) -> Group:
    """Return the group that a tenant has from its beginning."""
    return Group(
        name=DEFAULT_GROUP,
        tenant=tenant.name,
        revision=1,
        since=tenant.created_at,
        created_at=tenant.created_at,
        updated_at=tenant.created_at,
    )


def lagging(group: str) -> errors.Contended:
    """Return the refusal of a schedule whose ``held`` is not its group's pause."""
    return errors.Contended(f"the group {group} was paused or resumed meanwhile")


def group_in_use(name: str, *, schedules: int) -> errors.InUse:
    """Return the refusal to remove a group that has schedules."""
    return errors.InUse(f"the group {name} has {_count(schedules, 'schedule')}")


def default_group_in_use() -> errors.InUse:
    """Return the refusal to remove the group that every tenant has."""
    return errors.InUse("the group default always exists")


def profile_in_use(
    name: str,
    *,
    schedules: Sequence[str],
    groups: Sequence[str],
    tenants: Sequence[str],
) -> errors.InUse:
    """Return the refusal to remove a profile; what refers to it is named, in order.

    A schedule is named by its name, or by its id where it has none.
    """
    parts = [
        f"{_count(len(names), noun)} ({_some(names)})"
        for noun, names in (
            ("schedule", schedules),
            ("group", groups),
            ("tenant", tenants),
        )
        if names
    ]
    return errors.InUse(f"the profile {name} is used by {', '.join(parts)}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _some(names: Sequence[str]) -> str:
    shown = sorted(names)[:_NAMED]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")
