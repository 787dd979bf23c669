"""`crony upcoming` and `crony preview`: when, without running anything."""

from __future__ import annotations

from typing import cast

import click

from crony.cli import answers, instants, output, trigger_options
from crony.cli.names import SCHEDULE
from crony.cli.session import Session, connected
from crony.model.task import Json, JsonObject

_COUNT = click.option(
    "-n", "--count", type=click.IntRange(1, 1000), default=10, help="How many instants."
)


@click.command()
@click.argument("schedule", type=SCHEDULE)
@_COUNT
@connected
def upcoming(session: Session, /, *, schedule: str, count: int) -> None:
    """Show when SCHEDULE is due next."""
    found = session.client.upcoming(schedule, count)
    session.show(found, lambda: _table(answers.members(found, "items")))


@click.command()
@trigger_options.given(trigger_options.OPTIONS)
@click.option("--name", help="What H and the cadence words are derived from.")
@_COUNT
@connected
def preview(session: Session, /, **said: object) -> None:
    """Show when a trigger would be due, without adding a schedule."""
    options = cast(dict[str, Json], said)
    body = trigger_options.trigger_of(options)
    trigger_options.require_one(body)
    body["count"] = options["count"]
    if options["name"]:
        body["name"] = options["name"]
    found = session.client.preview(body)
    session.show(found, lambda: _preview(found))


def _preview(found: JsonObject) -> None:
    click.echo(answers.text(found, "description"))
    _table(answers.members(found, "upcoming"))


def _table(items: list[JsonObject]) -> None:
    if not items:
        output.note("never again")
        return
    rows = [
        (
            answers.text(item, "local"),
            instants.relative(answers.text(item, "at")),
            answers.text(item, "note"),
        )
        for item in items
    ]
    output.table(("WHEN", "", "NOTE"), rows)
