"""`crony add`: make a schedule of options, or of a file."""

from __future__ import annotations

import json
from typing import cast

import click

from crony.cli import answers, instants, output, task_options, trigger_options
from crony.cli.session import Session, connected
from crony.cli.task_options import TaskOptions
from crony.cli.trigger_options import given
from crony.model.task import Json, JsonObject

_LINES = (
    "max_runtime",
    "grace",
    "max_concurrent",
    "max_lost",
    "queue",
    "priority",
    "description",
)

_POLICY_OPTIONS = (
    click.option("--queue", metavar="NAME", help="The queue of its runs."),
    click.option("--require", metavar="K=V", multiple=True, help="A worker's label."),
    click.option("--priority", type=int, help="High goes first: -100..100."),
    click.option("--retries", type=click.IntRange(0), help="After a failed attempt."),
    click.option("--max-runtime", metavar="DURATION", help="Then it is stopped."),
    click.option("--grace", metavar="DURATION", help="From SIGTERM to SIGKILL."),
    click.option("--max-concurrent", type=click.IntRange(1), help="Runs at once."),
    click.option("--max-lost", type=click.IntRange(1), help="Attempts lost, at most."),
    click.option("--sandbox", metavar="K=V", multiple=True, help="memory=1G, cpu=2, …"),
    click.option("--label", metavar="K=V", multiple=True, help="A label of its own."),
    click.option("--description", metavar="TEXT", help="What it is for."),
    click.option("--paused", is_flag=True, help="Add it paused."),
)


class _Add(click.Command):
    """Names the cause when a command's own option is taken for one of `crony add`."""

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
                "crony add NAME --every 5m -- ls -l",
                ctx,
            ) from exc


@click.command(cls=_Add)
@click.argument("name", required=False)
@click.argument("command", nargs=-1)
@given(trigger_options.OPTIONS)
@given(task_options.OPTIONS)
@given(_POLICY_OPTIONS)
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
    """
    options = cast(dict[str, Json], said)
    body = _from_file(file) if file else {}
    body.update(_from_options(options))
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
    session.show(made, lambda: _tell(made))


def _from_file(path: str) -> dict[str, Json]:
    text = task_options.content("--file", path)
    value = task_options.parsed("--file", text, dict)
    return dict(answers.as_object(value))


def _from_options(said: dict[str, Json]) -> dict[str, Json]:
    body = trigger_options.trigger_of(said)
    body.update({name: said[name] for name in _LINES if said[name] is not None})
    if said["name"]:
        body["name"] = said["name"]
    if said["retries"] is not None:
        body["retries"] = {"max": said["retries"]}
    for option, member in (("require", "requires"), ("label", "labels")):
        values = answers.words(said, option)
        if values:
            body[member] = task_options.pairs(f"--{option}", values)
    if said["sandbox"]:
        body["sandbox"] = _sandbox(answers.words(said, "sandbox"))
    if said["paused"]:
        body["paused"] = True
    task = task_options.task_of(
        TaskOptions(**{name: said[name] for name in TaskOptions._fields})  # type: ignore[arg-type]  # click checked the types
    )
    if task is not None:
        body["task"] = task
    return body


def _sandbox(values: list[str]) -> JsonObject:
    """Return what was asked of the sandbox; numbers and lists as JSON has them."""
    made: dict[str, Json] = {}
    for name, value in task_options.pairs("--sandbox", values).items():
        if name in ("ro_paths", "rw_paths", "pass_env"):
            made[name] = [item for item in value.split(",") if item]
        elif name in ("cpu", "pids"):
            try:
                number: Json = json.loads(value)
            except ValueError:
                number = value
            made[name] = number
        else:
            made[name] = value
    return made


def _tell(made: JsonObject) -> None:
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
