"""Doubts: what about a schedule its owner may want to mend before it hurts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low

from crony import errors, wire
from crony.model.policy import Policy
from crony.model.run import Run
from crony.model.schedule import Schedule
from crony.model.state import Reason, RunState, ScheduleState
from crony.scheduler.moving.releasing import ADVICE, HELD
from crony.scheduler.occurrences import calendar_of
from crony.storage.contract import Store

#: Of fewer runs than that nothing is called usual.
_ENOUGH = 3


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001  # the word of the API
    """Something about a schedule that its owner may want to mend."""

    code: str
    detail: str


def warnings(
    schedule: Schedule,
    policy: Policy,
    recent: Sequence[Run],
    *,
    served: bool,
    held: bool = False,
    now: datetime,
) -> tuple[Warning, ...]:
    """Return what is doubtful about a schedule; ``recent`` are its newest runs.

    ``held``: its tenant is.
    """
    found = tuple(_found(schedule, policy, recent, served=served, now=now))
    return (Warning("held", f"{HELD}; {ADVICE}"), *found) if held else found


def _found(
    schedule: Schedule,
    policy: Policy,
    recent: Sequence[Run],
    *,
    served: bool,
    now: datetime,
) -> Iterator[Warning]:
    if not served:
        yield _no_worker(schedule)
    usual = _usual(recent)
    if usual is None:
        return
    period = _period(schedule, now)
    # As many periods pass as runs go on beside each other.
    if period is not None and usual / period > policy.limit:
        yield Warning(
            "slow",
            f"runs usually take {_said(usual)}, and the next two are due "
            f"{_said(period)} apart; let it be due less often, or raise max_concurrent",
        )
    if policy.deadline is not None and policy.deadline < usual:
        yield Warning(
            "deadline_short",
            f"runs usually take {_said(usual)}, and the deadline is "
            f"{_said(policy.deadline)} after they are due; they will be stopped by it",
        )


def served(store: Store, schedules: Sequence[Schedule]) -> frozenset[str]:
    """Return the ids of the schedules that a registered worker serves."""
    found: dict[_Needs, bool] = {}
    for needs in {_needs(schedule) for schedule in schedules}:
        tenant, queue, requires = needs
        found[needs] = store.workers.satisfying(
            tenant, queue=queue, requires=dict(requires)
        )
    return frozenset(each.id for each in schedules if found[_needs(each)])


_Needs = tuple[str, str, tuple[tuple[str, str], ...]]


def _needs(schedule: Schedule) -> _Needs:
    definition = schedule.definition
    requires = tuple(sorted(definition.requires.items()))
    return schedule.tenant, definition.queue, requires


def _no_worker(schedule: Schedule) -> Warning:
    definition = schedule.definition
    wanted = f'the queue "{definition.queue}"'
    if definition.requires:
        labels = ", ".join(f"{k}={v}" for k, v in sorted(definition.requires.items()))
        wanted += f" with {labels}"
    return Warning(
        "no_worker",
        f"no registered worker serves {wanted}; runs wait until one does",
    )


def _usual(recent: Sequence[Run]) -> timedelta | None:
    """Return how long the schedule's runs usually take, as far as can be told.

    One that its deadline stopped would have taken longer, but not less.
    """
    taken = [
        run.duration
        for run in recent
        if run.duration is not None
        and (run.state is RunState.SUCCEEDED or run.reason is Reason.DEADLINE)
    ]
    return median_low(taken) if len(taken) >= _ENOUGH else None


def _period(schedule: Schedule, now: datetime) -> timedelta | None:
    """Return the time between the next two occurrences, if there are two."""
    if schedule.state is ScheduleState.FINISHED:
        return None
    try:
        calendar = calendar_of(schedule)
        first = calendar.first(now)
        second = None if first is None else calendar.first(first)
    except errors.InvalidTrigger:
        return None
    return None if first is None or second is None else second - first


def _said(span: timedelta) -> str:
    """Return a span as people care for it: to the millisecond."""
    return wire.format_duration(_cut(span))


def _cut(span: timedelta) -> timedelta:
    return span - span % timedelta(milliseconds=1)
