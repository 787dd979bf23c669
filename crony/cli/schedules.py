"""The commands that list, show and change schedules."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from crony.cli import answers, instants, output
from crony.cli.lines import (
    hooks_line,
    pairs_line,
    policy_lines,
    progress_line,
    task_line,
)
from crony.cli.misfires import RESUME_MISFIRE
from crony.cli.names import GROUP, SCHEDULE
from crony.cli.session import Session, connected
from crony.cli.tables import group_of, run_table, schedule_table, title
from crony.model.state import ScheduleState
from crony.model.task import JsonObject


@click.command()
@click.argument("text", required=False)
@click.option("--state", type=click.Choice([state.value for state in ScheduleState]))
@click.option("--group", metavar="NAME", type=GROUP, help="Only those of a group.")
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
    session.show({"items": found}, lambda: _tell(found, chosen=bool(filters)))
    _warn_of_held(found)


def _warn_of_held(found: Sequence[JsonObject]) -> None:
    """Say that nothing comes due of a tenant that has moved in."""
    for schedule in found[:1]:
        for warning in answers.members(schedule, "warnings"):
            if warning.get("code") == "held":
                output.warning(answers.text(warning, "detail"))


@click.command()
@click.argument("schedule", type=SCHEDULE)
@connected
def show(session: Session, /, *, schedule: str) -> None:
    """Show SCHEDULE (a name or an id), its last runs and errors."""
    found = session.client.get_schedule(schedule)
    session.show(found, lambda: _show(found))
    _warn_of_held([found])


@click.command()
@click.argument(
    "schedules", nargs=-1, required=True, metavar="SCHEDULE...", type=SCHEDULE
)
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
@click.argument(
    "schedules", nargs=-1, required=True, metavar="SCHEDULE...", type=SCHEDULE
)
@connected
def pause(session: Session, /, *, schedules: tuple[str, ...]) -> None:
    """Pause schedules: what comes due is recorded as skipped."""
    changed = [session.client.pause_schedule(schedule) for schedule in schedules]
    session.show({"items": changed}, lambda: _changed(changed))


@click.command()
@click.argument(
    "schedules", nargs=-1, required=True, metavar="SCHEDULE...", type=SCHEDULE
)
@RESUME_MISFIRE
@connected
def resume(
    session: Session, /, *, schedules: tuple[str, ...], misfire: str | None
) -> None:
    """Resume paused schedules, from now on.

    \b
    crony resume report --misfire latest
    """
    changed = [
        session.client.resume_schedule(schedule, misfire=misfire)
        for schedule in schedules
    ]
    session.show({"items": changed}, lambda: _changed(changed))


def _tell(found: Sequence[JsonObject], *, chosen: bool) -> None:
    if found:
        schedule_table(found)
        return
    hint = "; add one: crony add hello --every 5m -- date"
    output.note("no schedule matches" if chosen else f"no schedules yet{hint}")


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
            "hooks": hooks_line(answers.member(schedule, "hooks")),
            "group": group_of(schedule),
            "profile": answers.text(schedule, "profile"),
            "queue": answers.text(schedule, "queue"),
            "labels": pairs_line(answers.member(schedule, "labels")),
            "requires": pairs_line(answers.member(schedule, "requires")),
            "policy": "; ".join(policy_lines(policy)),
            "progress": progress_line(answers.members(schedule, "progress")),
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
        source = answers.text(error, "source")
        head += "" if source == "task" else f", said its {source}"
        click.echo(click.style(f"{head}:", dim=True))
        click.echo(output.plain(answers.text(error, "text")))


def _changed(schedules: Sequence[JsonObject]) -> None:
    for schedule in schedules:
        state = answers.text(schedule, "state")
        due = answers.text(schedule, "next_run_at")
        when = f", next {instants.relative(due)}" if due else ""
        click.echo(f"{title(schedule)}: {output.state(state)}{when}")
