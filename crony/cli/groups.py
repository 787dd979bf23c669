"""`crony groups`: schedules that are looked after together."""

from __future__ import annotations

from collections.abc import Sequence

import click

from crony.cli import answers, merging, output
from crony.cli.misfires import RESUME_MISFIRE
from crony.cli.names import GROUP, PROFILE
from crony.cli.nouns import list_by_itself
from crony.cli.session import Session, connected
from crony.cli.tables import schedule_table
from crony.model.task import Json, JsonObject


@click.group(invoke_without_command=True)
@click.pass_context
def groups(context: click.Context) -> None:
    """List, make, change, pause and remove groups; by itself it lists them."""
    list_by_itself(context, ls)


@groups.command()
@connected
def ls(session: Session, /) -> None:
    """List all groups."""
    found = list(session.client.each_group())
    session.show({"items": found}, lambda: _list(found))


@groups.command()
@click.argument("group", type=GROUP)
@connected
def show(session: Session, /, *, group: str) -> None:
    """Show GROUP and its schedules."""
    found = session.client.get_group(group)
    session.show(found, lambda: _show(session, found))


@groups.command("set")
@click.argument("group", type=GROUP)
@click.option(
    "--profile", metavar="NAME", type=PROFILE, help="Whose policy its schedules take."
)
@click.option("--max-concurrent", type=click.IntRange(1), help="Runs at once, of all.")
@click.option("--description", metavar="TEXT", help="What it is for.")
@merging.SET
@connected
def set_(
    session: Session, /, *, group: str, sets: tuple[str, ...], **said: str | int | None
) -> None:
    """Make GROUP, or change what is said of it.

    \b
    crony groups set reports --profile heavy --max-concurrent 4
    crony groups set reports --set profile=null
    """
    given: dict[str, Json] = {
        k: value for k, value in said.items() if value is not None
    }
    patch = merging.merged(given, merging.said(sets), keep_null=True)
    client = session.client
    made = merging.put(client.get_group, client.put_group, group, patch)
    session.show(made, lambda: _facts(made))


@groups.command()
@click.argument("groups", nargs=-1, required=True, metavar="GROUP...", type=GROUP)
@connected
def rm(session: Session, /, *, groups: tuple[str, ...]) -> None:
    """Remove groups that have no schedules."""
    for group in groups:
        session.client.delete_group(group)
        output.note(f"removed {group}")


@groups.command()
@click.argument("groups", nargs=-1, required=True, metavar="GROUP...", type=GROUP)
@connected
def pause(session: Session, /, *, groups: tuple[str, ...]) -> None:
    """Pause groups: what comes due in them is recorded as skipped."""
    changed = [session.client.pause_group(group) for group in groups]
    session.show({"items": changed}, lambda: _changed(changed))


@groups.command()
@click.argument("groups", nargs=-1, required=True, metavar="GROUP...", type=GROUP)
@RESUME_MISFIRE
@connected
def resume(
    session: Session, /, *, groups: tuple[str, ...], misfire: str | None
) -> None:
    """Resume groups; a schedule that is paused itself stays so.

    \b
    crony groups resume reports --misfire latest
    """
    changed = [session.client.resume_group(group, misfire=misfire) for group in groups]
    session.show({"items": changed}, lambda: _changed(changed))


def _state(group: JsonObject) -> str:
    return "paused" if group.get("paused") else "active"


def _list(found: Sequence[JsonObject]) -> None:
    rows = [
        (
            answers.text(group, "name"),
            _state(group),
            answers.text(group, "schedules"),
            answers.text(group, "profile") or "-",
            answers.text(group, "max_concurrent") or "-",
            answers.text(group, "description"),
        )
        for group in found
    ]
    columns = ("NAME", "STATE", "SCHEDULES", "PROFILE", "AT ONCE", "DESCRIPTION")
    output.table(columns, rows)


def _show(session: Session, group: JsonObject) -> None:
    _facts(group)
    schedules = list(session.client.each_task(answers.text(group, "name")))
    if schedules:
        click.echo()
        schedule_table(schedules)


def _facts(group: JsonObject) -> None:
    output.facts(
        {
            "name": answers.text(group, "name"),
            "about": answers.text(group, "description"),
            "state": _state(group),
            "profile": answers.text(group, "profile"),
            "at once": answers.text(group, "max_concurrent"),
            "schedules": answers.text(group, "schedules"),
        }
    )


def _changed(groups: Sequence[JsonObject]) -> None:
    for group in groups:
        many = output.counted(answers.text(group, "schedules"), "schedule")
        state = output.state(_state(group))
        click.echo(f"{answers.text(group, 'name')}: {state}, {many}")
