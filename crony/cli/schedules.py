"""The commands that list, show and change schedules."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from crony.cli import answers, instants, output
from crony.cli.session import Session, connected
from crony.model.task import JsonObject


@click.command()
@click.argument("text", required=False)
@click.option("--state", type=click.Choice(["active", "paused", "finished"]))
@click.option("--queue", metavar="NAME", help="Only those of a queue.")
@click.option("--label", metavar="K=V", help="Only those with a label.")
@click.option("--trigger", type=click.Choice(["cron", "every", "at"]))
@click.option("--failing", is_flag=True, help="Only those whose last run failed.")
@click.option("--sort", type=click.Choice(["name", "next_run_at", "created_at"]))
@click.option("-n", "--limit", type=click.IntRange(1), help="At most so many.")
@connected
def ls(
    session: Session, /, *, text: str | None, failing: bool, **said: str | None
) -> None:
    """List the schedules, or those with TEXT in their names."""
    limit = int(said.pop("limit") or 0) or None
    label = said.pop("label")
    filters = {name: value for name, value in said.items() if value is not None}
    if label:
        filters["label"] = label.replace("=", ":", 1)
    if text:
        filters["q"] = text
    if failing:
        filters["failing"] = "true"
    found: list[JsonObject] = []
    for schedule in session.client.each_schedule(
        **filters, limit=min(limit or 1000, 1000)
    ):
        found.append(schedule)
        if len(found) == limit:
            break
    session.show({"items": found}, lambda: _list(found, chosen=bool(filters)))


@click.command()
@click.argument("schedule")
@connected
def show(session: Session, /, *, schedule: str) -> None:
    """Show SCHEDULE (a name or an id), its last runs and errors."""
    found = session.client.get_schedule(schedule)
    session.show(found, lambda: _show(found))


@click.command()
@click.argument("schedules", nargs=-1, required=True, metavar="SCHEDULE...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--cancel-running", is_flag=True, help="Stop what runs.")
@connected
def rm(
    session: Session, /, *, schedules: tuple[str, ...], yes: bool, cancel_running: bool
) -> None:
    """Remove schedules; what was not started never starts."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"Remove {', '.join(schedules)}?", abort=True)
    for schedule in schedules:
        session.client.delete_schedule(schedule, cancel_running=cancel_running)
        output.note(f"removed {schedule}")


@click.command()
@click.argument("schedules", nargs=-1, required=True, metavar="SCHEDULE...")
@connected
def pause(session: Session, /, *, schedules: tuple[str, ...]) -> None:
    """Pause schedules: what comes due is recorded as skipped."""
    changed = [session.client.pause_schedule(schedule) for schedule in schedules]
    session.show({"items": changed}, lambda: _changed(changed))


@click.command()
@click.argument("schedules", nargs=-1, required=True, metavar="SCHEDULE...")
@connected
def resume(session: Session, /, *, schedules: tuple[str, ...]) -> None:
    """Resume paused schedules, from now on."""
    changed = [session.client.resume_schedule(schedule) for schedule in schedules]
    session.show({"items": changed}, lambda: _changed(changed))


def title(schedule: JsonObject) -> str:
    """Return what to call a schedule: its name, else its id."""
    return answers.text(schedule, "name") or answers.text(schedule, "id")


def _list(found: Sequence[JsonObject], *, chosen: bool) -> None:
    if not found:
        hint = "; add one: crony add hello --every 5m -- date"
        output.note("no schedule matches" if chosen else f"no schedules yet{hint}")
        return
    rows = [
        (
            title(schedule),
            answers.text(schedule, "state"),
            answers.text(schedule, "trigger_description"),
            _relative(answers.text(schedule, "next_run_at")),
            _last(answers.member(schedule, "last_run")),
        )
        for schedule in found
    ]
    output.table(("NAME", "STATE", "WHEN", "NEXT", "LAST"), rows)


def _last(run: JsonObject) -> str:
    return answers.text(run, "state") or "-"


def _relative(instant: str) -> str:
    return instants.relative(instant) if instant else "-"


def _show(schedule: JsonObject) -> None:
    due = answers.text(schedule, "next_run_at")
    policy = answers.member(schedule, "policy")
    output.facts(
        {
            "name": answers.text(schedule, "name"),
            "id": answers.text(schedule, "id"),
            "about": answers.text(schedule, "description"),
            "state": answers.text(schedule, "state"),
            "when": answers.text(schedule, "trigger_description"),
            "next": due and f"{instants.relative(due)}, {instants.local(due)}",
            "task": task_line(answers.member(schedule, "task")),
            "queue": answers.text(schedule, "queue"),
            "labels": pairs_line(answers.member(schedule, "labels")),
            "requires": pairs_line(answers.member(schedule, "requires")),
            "policy": "; ".join(_policy(policy)),
        }
    )
    for warning in answers.members(schedule, "warnings"):
        output.warning(answers.text(warning, "detail"))
    recent = answers.members(schedule, "recent_runs")
    if recent:
        click.echo()
        run_table(recent)
    for error in answers.members(schedule, "errors")[:3]:
        click.echo()
        head = f"{answers.text(error, 'run')}, attempt {answers.text(error, 'attempt')}"
        click.echo(click.style(f"{head}:", dim=True))
        click.echo(output.plain(answers.text(error, "text")))


def _policy(policy: JsonObject) -> list[str]:
    """Return what is not built in: the rest is as everywhere."""
    lines = []
    for name in policy:
        rule = answers.member(policy, name)
        if rule.get("from") != "built-in":
            value = answers.as_object(rule.get("value"))
            lines.append(f"{name} {pairs_line(value) or answers.text(rule, 'value')}")
    return lines


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


def task_line(task: JsonObject) -> str:
    """Return what a task runs, on one line."""
    import shlex

    command = task.get("command")
    if isinstance(command, str):
        return output.shown(command)
    if command:
        return output.shown(shlex.join(answers.words(task, "command")))
    if "script" in task:
        return "script: " + output.shown(answers.text(task, "script"))
    if "http" in task:
        request = answers.member(task, "http")
        return f"{answers.text(request, 'method')} {answers.text(request, 'url')}"
    return "python: " + answers.text(task, "python")


def pairs_line(pairs: JsonObject) -> str:
    """Return labels on one line."""
    return ", ".join(f"{name}={answers.text(pairs, name)}" for name in pairs)


def _changed(schedules: Sequence[JsonObject]) -> None:
    for schedule in schedules:
        state = answers.text(schedule, "state")
        due = answers.text(schedule, "next_run_at")
        when = f", next {instants.relative(due)}" if due else ""
        click.echo(f"{title(schedule)}: {output.state(state)}{when}")
