"""What the database does by itself, so that no statement can forget it."""

from __future__ import annotations

from crony.storage.sql.dialect.statement import word


def _trigger(name: str, table: str, event: str, when: str, *acts: str) -> str:
    return word("trigger", name, table, event, when, " ".join(acts))


_RUNS_CHANGED = ("runs", "UPDATE OF state")

#: The members of a run that an event tells, beside its id.
EVENT_MEMBERS = (
    *("tenant", "schedule", "schedule_name", "revision", "origin", "parent"),
    *("group_name", "policy", "scheduled_for", "due_at", "available_at", "catch_up"),
    *("deadline_at", "overlap", "hooks", "hook_interval", "hook", "hook_attempt"),
    *("range_until", "range_count", "state", "reason", "queue", "priority"),
    *("max_lost", "overrides", "created_at", "started_at", "finished_at"),
    *("lateness", "duration", "attempt", "token", "failures", "lost"),
    *("exit_code", "signal", "error", "progress"),
)

#: Those of them that are numbers.
EVENT_NUMBERS = frozenset(
    (
        *("revision", "policy", "scheduled_for", "due_at", "available_at", "catch_up"),
        *("deadline_at", "hook_interval", "hook_attempt", "range_until"),
        *("range_count", "priority", "max_lost", "created_at", "started_at"),
        *("finished_at", "lateness", "duration", "attempt", "token", "failures"),
        *("lost", "exit_code"),
    )
)


def _tell(kind: str) -> str:
    """Return the statement that tells of a run as it is now."""
    members = ", ".join(f"NEW.{name}" for name in ("id", *EVENT_MEMBERS))
    return (
        f"INSERT INTO events (type, at, subject, {', '.join(EVENT_MEMBERS)})"
        f" VALUES ({kind}, NEW.changed_at, {members});"
    )


_STATE = "'run.' || NEW.state"
_ENDED_APART = "(NEW.lost > OLD.lost OR NEW.preempted > OLD.preempted)"
_APART = "CASE WHEN NEW.lost > OLD.lost THEN 'run.lost' ELSE 'run.preempted' END"

#: Of what is written as of no instant (what moves in from another store) no event is
#: told.
_TOLD = "NEW.changed_at > 0"

#: They keep ``events``: no statement can change a state and not tell of it.
EVENT_TRIGGERS = (
    _trigger("runs_told_new", "runs", "INSERT", _TOLD, _tell(_STATE)),
    _trigger(
        *("runs_told", *_RUNS_CHANGED),
        f"OLD.state <> NEW.state AND NOT {_ENDED_APART} AND {_TOLD}",
        _tell(_STATE),
    ),
    # One trigger for both, since the order of two is nobody's promise.
    _trigger(
        *("runs_told_apart", *_RUNS_CHANGED),
        f"OLD.state <> NEW.state AND {_ENDED_APART} AND {_TOLD}",
        _tell(_APART),
        _tell(_STATE),
    ),
)
