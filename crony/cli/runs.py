"""The commands that start, list and stop runs."""

from __future__ import annotations

from collections.abc import Sequence

import click

from crony.cli import answers, instants, output, task_options
from crony.cli.following import follow_to_end
from crony.cli.instants import INSTANT
from crony.cli.names import GROUP, SCHEDULE
from crony.cli.session import Session, connected
from crony.cli.tables import run_table
from crony.cli.words import Words
from crony.model.state import RunState
from crony.model.task import Json, JsonObject

_STATES = [state.value for state in RunState]


@click.command()
@click.argument("schedule", type=SCHEDULE)
@click.option("--wait", is_flag=True, help="Follow it to its end; exit 1 if it failed.")
@click.option("--args", metavar="JSON", help="Other arguments of a python task.")
@click.option("--env", metavar="K=V", multiple=True, help="Another variable.")
@click.option("--stdin", metavar="FILE", help="Another input; - is stdin.")
@connected
def run(
    session: Session,
    /,
    *,
    schedule: str,
    wait: bool,
    args: str | None,
    env: tuple[str, ...],
    stdin: str | None,
) -> None:
    """Run SCHEDULE now, whatever it is due."""
    task: dict[str, Json] = {}
    if args:
        task["args"] = task_options.parsed("--args", args, list)
    if env:
        task["env"] = task_options.pairs("--env", env)
    if stdin:
        task["stdin"] = task_options.content("--stdin", stdin)
    started = session.client.run_schedule(schedule, {"task": task} if task else None)
    _started(session, started, wait=wait)


@click.command()
@click.argument("schedule", required=False, type=SCHEDULE)
@click.option(
    "--state",
    metavar="STATE",
    multiple=True,
    type=Words(_STATES),
    help="Only those in a state, or in one of several with commas between them.",
)
@click.option("--since", metavar="INSTANT", type=INSTANT, help="Due then or later.")
@click.option("--until", metavar="INSTANT", type=INSTANT, help="Due before.")
@click.option("--worker", metavar="ID", help="Only those of a worker.")
@click.option("--group", metavar="NAME", type=GROUP, help="Only those of a group.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, help="At most.")
@connected
def runs(
    session: Session,
    /,
    *,
    schedule: str | None,
    limit: int,
    state: tuple[list[str], ...],
    **filters: str | None,
) -> None:
    """List runs of SCHEDULE, or of all, the newest first.

    \b
    crony runs --state failed,timed_out --since 2026-11-20
    """
    states = [word for words in state for word in words]
    found: list[JsonObject] = []
    for item in session.client.each_run(
        schedule, state=states or None, **filters, limit=min(limit, 1000)
    ):
        found.append(item)
        if len(found) == limit:
            break
    session.show({"items": found}, lambda: _list(found))


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@connected
def cancel(session: Session, /, *, runs: tuple[str, ...]) -> None:
    """Stop runs, or keep them from starting."""
    changed = [session.client.cancel_run(run) for run in runs]
    session.show({"items": changed}, lambda: _changed(changed))


@click.command()
@click.argument("run")
@click.option("--wait", is_flag=True, help="Follow it to its end; exit 1 if it failed.")
@connected
def retry(session: Session, /, *, run: str, wait: bool) -> None:
    """Run a finished RUN once more."""
    _started(session, session.client.retry_run(run), wait=wait)


def _started(session: Session, run: JsonObject, *, wait: bool) -> None:
    identity = answers.text(run, "id")
    if not wait:
        session.show(run, lambda: _tell(identity))
        return
    output.note(identity)
    ended = follow_to_end(session.client, identity, quiet=session.as_json)
    session.show(ended, lambda: output.note(_summary(ended)))
    if ended.get("state") != "succeeded":
        click.get_current_context().exit(1)


def _tell(identity: str) -> None:
    click.echo(identity)
    output.note(f"follow it with: crony logs -f {identity}")


def _summary(run: JsonObject) -> str:
    words = [answers.text(run, "state")]
    if run.get("reason"):
        words.append(f"({answers.text(run, 'error') or answers.text(run, 'reason')})")
    if run.get("duration"):
        words.append(f"after {instants.brief(answers.text(run, 'duration'))}")
    return " ".join(words)


def _list(found: Sequence[JsonObject]) -> None:
    if found:
        run_table(found)
    else:
        output.note("no runs yet")


def _changed(changed: Sequence[JsonObject]) -> None:
    for run in changed:
        state = output.state(answers.text(run, "state"))
        since = answers.text(run, "scheduled_for")
        click.echo(f"{answers.text(run, 'id')}: {state}, due {instants.local(since)}")
