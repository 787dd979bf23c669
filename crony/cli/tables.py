"""Schedules and runs as tables."""

from __future__ import annotations

from collections.abc import Sequence

from crony.cli import answers, instants, output
from crony.model.task import JsonObject

#: What the service calls the group of a schedule that names none.
_DEFAULT_GROUP = "default"


def schedule_table(schedules: Sequence[JsonObject]) -> None:
    """Print schedules as a table; their groups where they are in any of their own."""
    grouped = any(group_of(schedule) for schedule in schedules)
    columns = ["NAME", "STATE", "WHEN", "NEXT", "LAST"]
    rows = [
        [
            title(schedule),
            answers.text(schedule, "state"),
            answers.text(schedule, "trigger_description"),
            _relative(answers.text(schedule, "next_run_at")),
            _last(answers.member(schedule, "last_run")),
        ]
        for schedule in schedules
    ]
    if grouped:
        columns.insert(1, "GROUP")
        for row, schedule in zip(rows, schedules, strict=True):
            row.insert(1, answers.text(schedule, "group"))
    output.table(columns, rows)


def run_table(runs: Sequence[JsonObject]) -> None:
    """Print runs as a table."""
    rows = [
        (
            answers.text(run, "id"),
            answers.text(run, "schedule_name") or answers.text(run, "schedule"),
            answers.text(run, "state"),
            instants.local(answers.text(run, "scheduled_for")),
            _took(run),
            _outcome(run),
        )
        for run in runs
    ]
    output.table(("RUN", "SCHEDULE", "STATE", "DUE", "TOOK", "OUTCOME"), rows)


def title(schedule: JsonObject) -> str:
    """Return what to call a schedule: its name, else its id."""
    return answers.text(schedule, "name") or answers.text(schedule, "id")


def group_of(schedule: JsonObject) -> str:
    """Return a schedule's group; that of all others is not worth a word."""
    group = answers.text(schedule, "group")
    return "" if group == _DEFAULT_GROUP else group


def _last(run: JsonObject) -> str:
    return answers.text(run, "state") or "-"


def _relative(instant: str) -> str:
    return instants.relative(instant) if instant else "-"


def _took(run: JsonObject) -> str:
    duration = answers.text(run, "duration")
    return instants.brief(duration) if duration else "-"


def _outcome(run: JsonObject) -> str:
    """Return the exit code, the signal or the reason: what tells most."""
    if run.get("signal"):
        return answers.text(run, "signal")
    if run.get("exit_code"):
        return f"exit code {answers.text(run, 'exit_code')}"
    return answers.text(run, "reason")
