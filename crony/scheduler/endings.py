"""Why a run that does not wait is as it is."""

from __future__ import annotations

from collections.abc import Sequence

from crony.clock import MOMENT
from crony.model.policy import LATEST, NONE
from crony.model.run import Run
from crony.model.state import AttemptState, Origin, Reason, RunState
from crony.scheduler.reasons import Because, Code
from crony.storage.contract import RunQuery, Store
from crony.wire import format_duration, format_instant

#: So many runs of a schedule are looked through for one that was in the way.
_NEAR = 50

#: What does not stand in the way of an occurrence.
_ASIDE = frozenset({Origin.BACKFILL, Origin.HOOK})


def ended(store: Store, run: Run) -> Because:
    """Say why a run that is neither pending nor withdrawn is as it is."""
    match run.state:
        case RunState.LEASED | RunState.RUNNING | RunState.STOPPING:
            return _in_hands(run)
        case RunState.SUCCEEDED:
            took = f" after {format_duration(run.duration)}" if run.duration else ""
            return Because(Code.SUCCEEDED, f"attempt {run.attempt} succeeded{took}")
        case RunState.FAILED if run.reason is Reason.LOST:
            return Because(Code.LOST, _lost(run))
        case RunState.FAILED:
            return Because(Code.FAILED, _failed(run))
        case RunState.TIMED_OUT if run.reason is Reason.DEADLINE:
            return Because(
                Code.DEADLINE,
                f"it was stopped at its deadline{_deadline(run)}; "
                "give it more time, or let it start earlier",
            )
        case RunState.TIMED_OUT:
            return Because(Code.TIMED_OUT, _timed_out(run))
        case RunState.EXPIRED:
            return Because(
                Code.DEADLINE,
                f"it had not started by its deadline{_deadline(run)}; look at what "
                "kept the runs before it, or raise the deadline",
            )
        case RunState.CANCELLED:
            return _cancelled(store, run)
        case RunState.SKIPPED:
            return _overlapped(store, run)
        case RunState.MISSED:
            return Because(Code.MISFIRE, _missed(run))
    raise ValueError(f"{run.state} is no end")


def _in_hands(run: Run) -> Because:
    attempt = run.attempts[-1]
    where = f'worker "{attempt.worker_name}"'
    if run.state is RunState.LEASED:
        at = format_instant(run.available_at)
        return Because(Code.LEASED, f"it is offered to {where}, to start at {at}")
    since = format_instant(attempt.started_at or attempt.leased_at)
    if run.state is RunState.RUNNING:
        detail = f"attempt {run.attempt} runs on {where} since {since}"
        return Because(Code.RUNNING, detail)
    why = f" ({run.reason})" if run.reason else ""
    return Because(Code.STOPPING, f"{where} was told to stop it{why}")


def _lost(run: Run) -> str:
    return (
        f"{run.lost} of its attempts were lost with their workers ({_workers(run)}), "
        f"which is all that max_lost, or delivery at_most_once, allows; look whether "
        f"these hosts run, then POST /runs/{run.id}/retry"
    )


def _workers(run: Run) -> str:
    names = [a.worker_name for a in run.attempts if a.state is AttemptState.LOST]
    return ", ".join(dict.fromkeys(names)) or "unknown"


def _failed(run: Run) -> str:
    said = run.error or run.reason or "without a word"
    return (
        f"attempt {run.attempt} failed: {said}; its output is at /runs/{run.id}/log, "
        f"and POST /runs/{run.id}/retry runs it again"
    )


def _timed_out(run: Run) -> str:
    most = format_duration(run.policy.max_runtime)
    return (
        f"attempt {run.attempt} ran for longer than max_runtime, {most}, and was "
        "stopped; raise max_runtime if the task needs more"
    )


def _deadline(run: Run) -> str:
    return f", {format_instant(run.deadline_at)}" if run.deadline_at else ""


def _cancelled(store: Store, run: Run) -> Because:
    match run.reason:
        case Reason.DELETED:
            detail = "its schedule was deleted before it had ended"
            return Because(Code.DELETED, detail)
        case Reason.REPLACED:
            other = _replacement(store, run)
            by = f"run {other.id}" if other else "a later run"
            detail = (
                f'{by} took its place, as on_overlap "replace" says; with "queue" '
                "the later one waits instead"
            )
            return Because(Code.OVERLAP, detail, (other.id,) if other else ())
        case Reason.LOST:
            return Because(Code.LOST, f"it was lost with its worker ({_workers(run)})")
    detail = f"a person cancelled it; POST /runs/{run.id}/retry runs it again"
    return Because(Code.CANCELLED, detail)


def _replacement(store: Store, run: Run) -> Run | None:
    later = _runs(
        store,
        RunQuery(
            schedule=run.schedule,
            since=run.scheduled_for + MOMENT,
            until=None if run.finished_at is None else run.finished_at + MOMENT,
            oldest_first=True,
        ),
        run,
    )
    return next((each for each in later if each.origin is Origin.SCHEDULE), None)


def _overlapped(store: Store, run: Run) -> Because:
    query = RunQuery(schedule=run.schedule, until=run.due_at + MOMENT)
    earlier = [
        each
        for each in _runs(store, query, run)
        if each.origin not in _ASIDE
        and each.id != run.id
        and each.attempt
        and (each.finished_at is None or each.finished_at >= run.due_at)
    ]
    names = tuple(each.id for each in earlier)
    which = f" ({', '.join(names[:3])})" if names else ""
    detail = (
        f'an earlier run{which} was unfinished, and on_overlap is "skip"; with "queue" '
        "it waits instead, with a higher max_concurrent it starts beside it"
    )
    return Because(Code.OVERLAP, detail, names)


def _runs(store: Store, query: RunQuery, of: Run) -> Sequence[Run]:
    return store.runs.page(of.tenant, query, limit=_NEAR, after=None).items


def _missed(run: Run) -> str:
    came = "nothing ticked when it came due (the service was down, or the host asleep)"
    window = format_duration(run.policy.misfire_window)
    match run.policy.misfire:
        case word if word == NONE:
            return f'{came}, and misfire is "none"; with "all" it would have run later'
        case word if word == LATEST:
            return (
                f'{came}, and misfire is "latest": only the newest of those runs, if '
                f"it is not older than misfire_window, {window}"
            )
    return (
        f"{came}, and it was older than misfire_window, {window}, when the service "
        "came back; POST the span to the schedule's /backfill to run it now"
    )
