"""Expressions that statements and indexes share, so that one serves the other."""

from __future__ import annotations

from crony.model import policy
from crony.storage.codec import duration_out
from crony.storage.sql.dialect.choice import one_of
from crony.storage.sql.dialect.words import flag, least

#: Beyond every instant: what has none comes last.
NEVER = 9223372036854775807
#: After every name.
NAMELESS = "~"

#: What a list of schedules is sorted by, as indexed.
SCHEDULE_SORTS = {
    "name": f"coalesce(name, '{NAMELESS}')",
    "next_run_at": f"coalesce(cursor, {NEVER})",
    "created_at": "created_at",
}

#: False, and so first, for a run that waits for its retry.
UNTRIED = "(attempt = 0)"

#: The turn of a run: see ``rules.turn``.
TURN = (
    "(CASE WHEN catch_up = 1"
    f" THEN created_at + {duration_out(policy.CATCH_UP_TURN) // 1000} ELSE "
    + least(
        f"coalesce(deadline_at, {NEVER})",
        f"due_at + {duration_out(policy.TURN) // 1000}",
    )
    + " END)"
)

#: 1 of a hook's run, which counts towards no limit, and 0 of others.
OF_HOOK = flag("origin = 'hook'")

#: Attempts that a schedule's list of errors shows.
FAULT = f"({one_of('state', 'failed', 'timed_out', 'lost')} OR says IS NOT NULL)"

#: When a run ended, for the order in which runs are forgotten.
ENDED_AT = "coalesce(finished_at, created_at)"


def in_hands(of: str = "") -> str:
    """Return whether a run, in the table named ``of``, is in a worker's hands."""
    return one_of(f"{of}state", "leased", "running", "stopping")


def ended(of: str = "") -> str:
    """Return whether a run, in the table named ``of``, is over."""
    return one_of(
        f"{of}state",
        *("succeeded", "failed", "timed_out", "cancelled", "missed", "skipped"),
        "expired",
    )
