"""`crony add`: make a schedule of options, or of a file."""

from __future__ import annotations

from typing import cast

import click

from crony.cli import (
    answers,
    instants,
    output,
    schedule_options,
    task_options,
    trigger_options,
)
from crony.cli.session import Session, connected
from crony.cli.trigger_options import given
from crony.model.task import Json, JsonObject


class TakesCommand(click.Command):
    """Names the cause when a command's own option is taken for one of these."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; the two dashes are what people leave out."""
        marked = "--" in args
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as exc:
            if marked or exc.possibilities:
                raise
            raise click.UsageError(
                f"{exc.message} What is the command's own comes after two dashes: "
                f"{ctx.command_path} NAME --every 5m -- ls -l",
                ctx,
            ) from exc


@click.command(cls=TakesCommand)
@click.argument("name", required=False)
@click.argument("command", nargs=-1)
@given(schedule_options.OPTIONS)
@click.option("--paused", is_flag=True, help="Add it paused.")
@click.option("--file", metavar="FILE", help="The schedule as JSON; - is stdin.")
@click.option("--replace", is_flag=True, help="Replace the schedule of that name.")
@connected
def add(
    session: Session, /, *, replace: bool, file: str | None, **said: object
) -> None:
    """Add the schedule NAME; a command comes last, after --.

    \b
    crony add report --cron "30 2 * * 1-5" --timezone Europe/Berlin -- ./report.sh
    crony add beat --every 5m --shell "date | tee /tmp/now"
    crony add once --at now --python package.module:function
    crony add ping --every hour --http https://example.org/ping
    crony add load --every 5m --group reports --deadline 2m --on-overlap skip \\
        --retries 2 --on-error "notify-send 'load failed'" -- ./load.sh
    """
    options = cast(dict[str, Json], said)
    body = _from_file(file) if file else {}
    body.update(schedule_options.body_of(options))
    if options["paused"]:
        body["paused"] = True
    if not file:
        trigger_options.require_one(body)
        if "name" not in body:
            raise click.UsageError("the schedule needs a name: crony add NAME …")
        if "task" not in body:
            raise click.UsageError(
                "say what to run: a command after --, or --shell, --script, --python "
                "or --http."
            )
    if replace and not body.get("name"):
        raise click.UsageError("--replace needs the name of what it replaces.")
    if replace:
        made = session.client.put_schedule(str(body["name"]), body)
    else:
        made = session.client.create_schedule(body)
    session.show(made, lambda: tell(made))


def _from_file(path: str) -> dict[str, Json]:
    text = task_options.content("--file", path)
    value = task_options.parsed("--file", text, dict)
    return dict(answers.as_object(value))


def tell(made: JsonObject) -> None:
    """Say what a schedule is now, and when it is due."""
    name = answers.text(made, "name")
    identity = answers.text(made, "id")
    title = f"{name} ({identity})" if name else identity
    click.echo(f"{title}: {answers.text(made, 'trigger_description')}")
    due = answers.text(made, "next_run_at")
    if answers.text(made, "state") == "paused":
        click.echo(f"paused; start it with: crony resume {name or identity}")
    elif due:
        click.echo(f"next: {instants.relative(due)}, {instants.local(due)}")
    else:
        click.echo("next: as soon as a worker is free")
    for warning in answers.members(made, "warnings"):
        output.warning(answers.text(warning, "detail"))
