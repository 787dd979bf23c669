"""Say what an import found and did: each line with its file and number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from crony.cli import answers, output
from crony.cli.crontab.confined import hints
from crony.cli.crontab.entries import Wanted
from crony.cli.crontab.parse import Crontab, Remark
from crony.cli.crontab.plan import Plan
from crony.model.task import Json, JsonObject


def warnings(path: str, table: Crontab, *, system: bool) -> None:
    """Print what the crontab says and Crony does otherwise."""
    for remark in table.warnings:
        output.warning(f"{_place(path, remark.line)}{remark.reason}")
    for user, lines in _users(table).items():
        output.warning(
            f"{path}: user {user} (line {lines}) becomes a label: a task runs as the "
            "worker's task user, never as root or another user"
        )
    if not system and any(e.command.split()[:1] == ["root"] for e in table.entries):
        output.warning(
            f"{path}: commands begin with the word root; if that is the user's column, "
            "use --system"
        )


def faults(path: str, remarks: Sequence[Remark], *, skipped: bool) -> None:
    """Print what can't be imported, and why."""
    mark = click.style("skipped:" if skipped else "error:", fg="red")
    for remark in remarks:
        text = output.plain(f"{_place(path, remark.line)}{remark.reason}")
        click.echo(f"{mark} {text}", err=True)


def sandbox(tables: Mapping[str, Crontab]) -> None:
    """Print what commands seem to need and would not find in a sandbox."""
    for path, table in tables.items():
        for entry in table.entries:
            for hint in hints(entry):
                output.note(f"in the sandbox: {_place(path, entry.line)}{hint}")


def changes(
    plan: Plan | None, wanted: Sequence[Wanted], *, pruned: bool, dry_run: bool
) -> None:
    """Print each change, and how many there are."""
    if plan is None:
        for item in wanted:
            click.echo(_line("?", item))
        click.echo(f"dry run: {len(wanted)} schedules were read")
        return
    for item in plan.new:
        click.echo(_line(click.style("+", fg="green"), item))
    for item, _ in plan.changed:
        click.echo(_line(click.style("~", fg="yellow"), item))
    for schedule in plan.gone:
        name = answers.text(schedule, "name")
        mark = click.style("-" if pruned else "!", fg="red")
        click.echo(f"{mark} {output.plain(name)}  gone from the file")
    gone = "removed" if pruned else "gone (remove them with --prune)"
    words = [
        f"{len(plan.new)} new",
        f"{len(plan.changed)} changed",
        f"{len(plan.same)} unchanged",
    ]
    if plan.gone:
        words.append(f"{len(plan.gone)} {gone}")
    prefix = "dry run, nothing was done: " if dry_run else ""
    click.echo(prefix + ", ".join(words))


def document(
    plan: Plan | None, wanted: Sequence[Wanted], *, pruned: bool, dry_run: bool
) -> JsonObject:
    """Return the same for a program; without a service only what is wanted."""
    made: dict[str, Json] = {"dry_run": dry_run, "pruned": pruned and not dry_run}
    if plan is None:
        made["wanted"] = [item.name for item in wanted]
        return made
    made["new"] = [item.name for item in plan.new]
    made["changed"] = [item.name for item, _ in plan.changed]
    made["unchanged"] = [item.name for item in plan.same]
    made["gone"] = [answers.text(schedule, "name") for schedule in plan.gone]
    return made


def _line(mark: str, item: Wanted) -> str:
    task = answers.member(item.body, "task")
    command = output.shown(answers.words(task, "command")[-1])
    when = answers.text(item.body, "cron")
    return f"{mark} {item.name}  {when}  {output.plain(command)}"


def _users(table: Crontab) -> dict[str, str]:
    """Return the users that a system crontab names, with their lines."""
    lines: dict[str, list[str]] = {}
    for entry in table.entries:
        if entry.user is not None:
            lines.setdefault(entry.user, []).append(str(entry.line))
    return {user: ", ".join(found) for user, found in lines.items()}


def _place(path: str, line: int) -> str:
    name = "stdin" if path == "-" else path
    return f"{name}:{line}: " if line else f"{name}: "
