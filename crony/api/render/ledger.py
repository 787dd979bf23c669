"""What was due, what became of it, and why."""

from __future__ import annotations

from crony.api.render.values import Object, instant, plain
from crony.model.moving import Pruned
from crony.scheduler.accounts import Entry
from crony.scheduler.audit import Findings, Gap, Unverifiable
from crony.scheduler.backfill import Backfilled
from crony.scheduler.reasons import Answer


def occurrence(entry: Entry) -> Object:
    """Return an occurrence, or a stretch of them."""
    return {
        "at": instant(entry.at),
        "until": instant(entry.until),
        "count": entry.count,
        "state": plain(entry.state),
        "reason": plain(entry.reason),
        "run": None if entry.run is None else entry.run.id,
        "revision": entry.revision,
    }


def pruned(what: Pruned | None) -> Object | None:
    """Return what is left of runs that were pruned: how many ended how."""
    if what is None:
        return None
    return {
        "until": instant(what.until),
        "occurrences": {state.value: n for state, n in what.occurrences.items()},
        "others": {state.value: n for state, n in what.others.items()},
    }


def findings(found: Findings, *, following: str | None) -> Object:
    """Return what an audit found."""
    return {
        "checked": found.checked,
        "schedules": found.schedules,
        "gaps": [_gap(gap) for gap in found.gaps],
        "unverifiable": [_unverifiable(part) for part in found.unverifiable],
        "next": following,
    }


def _gap(gap: Gap) -> Object:
    return {
        "schedule": gap.schedule,
        "at": instant(gap.at),
        "until": instant(gap.until),
        "count": gap.count,
        "revision": gap.revision,
    }


def _unverifiable(part: Unverifiable) -> Object:
    return {
        "schedule": part.schedule,
        "from": instant(part.since),
        "to": instant(part.until),
        "why": part.why,
    }


def why(answer: Answer) -> Object:
    """Return an answer to *why*."""
    return {
        "at": instant(answer.at),
        "schedule": answer.schedule,
        "code": plain(answer.because.code),
        "detail": answer.because.detail,
        "occurrence": instant(answer.occurrence),
        "before": instant(answer.before),
        "after": instant(answer.after),
        "run": answer.run,
        "runs": list(answer.because.runs),
        "revision": answer.revision,
    }


def backfilled(made: Backfilled) -> Object:
    """Return what a backfill made, or would."""
    return {
        "schedule": made.schedule,
        "dry_run": made.dry_run,
        "count": made.count,
        "from": instant(made.since),
        "to": instant(made.until),
        "runs": [
            {
                "id": None if made.dry_run else run.id,
                "scheduled_for": instant(run.scheduled_for),
            }
            for run in made.runs
        ],
    }
