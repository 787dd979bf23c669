"""`crony events`: what happened, and what happens."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable

import click

from crony.cli import answers, instants, output
from crony.cli.names import SCHEDULE
from crony.cli.session import Session, connected
from crony.cli.words import Words
from crony.model.event import FILTERS
from crony.model.task import JsonObject


@click.command()
@click.option("-f", "--follow", is_flag=True, help="As they happen, from now on.")
@click.option(
    "--type",
    "types",
    metavar="TYPE",
    multiple=True,
    type=Words(FILTERS),
    help="Only such as run.failed or worker.*.",
)
@click.option(
    "--schedule", metavar="NAME", type=SCHEDULE, help="Only those of a schedule."
)
@click.option("--after", metavar="EVENT", help="Only those after an event, by its id.")
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=20, help="The newest, at most."
)
@connected
def events(
    session: Session,
    /,
    *,
    follow: bool,
    types: tuple[list[str], ...],
    schedule: str | None,
    after: str | None,
    limit: int,
) -> None:
    """Print what happened to runs, schedules and workers, the oldest first.

    With --follow it goes on until it is interrupted, also over a restart of the
    service; with --json each event is then a line.

    \b
    crony events -f --type run.failed,worker.*
    """
    chosen = [word for words in types for word in words]
    client = session.client
    if follow:
        told = client.events(types=chosen, schedule=schedule, after=after)
        _follow(told, as_json=session.as_json)
        return
    happened = client.each_event(types=chosen or None, schedule=schedule, after=after)
    newest = deque(happened, maxlen=limit)
    session.show({"items": list(newest)}, lambda: _list(newest))


def _follow(told: Iterable[JsonObject], *, as_json: bool) -> None:
    for event in told:
        click.echo(json.dumps(event, ensure_ascii=False) if as_json else _line(event))


def _list(found: Iterable[JsonObject]) -> None:
    lines = [_line(event) for event in found]
    if not lines:
        output.note("nothing of that happened, as far as it is kept")
    for line in lines:
        click.echo(line)


def _line(event: JsonObject) -> str:
    """Return an event as a line: when, what, to whom, and what there is to say."""
    noun, _, word = answers.text(event, "type").partition(".")
    data = answers.member(event, "data")
    subject = answers.text(event, "subject")
    name = answers.text(data, "schedule_name") or answers.text(data, "name")
    kind = click.style(f"{noun}.", dim=True) + output.state(word)
    # Colours take no place on a terminal.
    padding = " " * max(0, 17 - len(noun) - len(word))
    parts = [
        click.style(instants.local(answers.text(event, "time")), dim=True),
        kind + padding,
        output.plain(name) if name else "",
        click.style(subject, dim=True) if subject != name else "",
        output.plain(_detail(word, data)),
    ]
    return "  ".join(part for part in parts if part).rstrip()


def _detail(word: str, data: JsonObject) -> str:
    if word == "progress":
        progress = answers.member(data, "progress")
        percent = answers.text(progress, "percent")
        said = answers.text(progress, "message")
        return " ".join(part for part in (percent and f"{percent} %", said) if part)
    if data.get("signal"):
        return answers.text(data, "signal")
    if data.get("exit_code"):
        return f"exit code {answers.text(data, 'exit_code')}"
    return answers.text(data, "reason")
