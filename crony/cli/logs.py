"""`crony logs`: the output of a run."""

from __future__ import annotations

import click

from crony import errors
from crony.cli import answers, output
from crony.cli.following import write
from crony.cli.names import SCHEDULE
from crony.cli.session import Session, connected


@click.command()
@click.argument("run", metavar="RUN|SCHEDULE", type=SCHEDULE)
@click.option("-f", "--follow", is_flag=True, help="Until the run is over.")
@click.option("--attempt", type=click.IntRange(1), help="Not the newest attempt.")
@connected
def logs(session: Session, /, *, run: str, follow: bool, attempt: int | None) -> None:
    """Print what RUN put out; of a SCHEDULE, what its newest run did."""
    if follow and attempt is not None:
        raise click.UsageError("--follow is for the newest attempt, without --attempt.")
    identity = run if run.startswith("run_") else _newest(session, run)
    if follow:
        write(session.client.follow_log(identity))
    else:
        write([session.client.get_log(identity, attempt)])


def _newest(session: Session, schedule: str) -> str:
    """Return the newest run of a schedule that has started."""
    for run in answers.members(session.client.list_runs(schedule, limit=50), "items"):
        if run.get("attempt"):
            identity = answers.text(run, "id")
            output.note(identity)
            return identity
    raise errors.NotFound("run that has started, of", schedule)
