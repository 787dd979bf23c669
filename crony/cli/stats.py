"""`crony stats`: the state of the whole, on one screen."""

from __future__ import annotations

import click

from crony.cli import answers, instants, output
from crony.cli.session import Session, connected
from crony.model.task import JsonObject


@click.command()
@connected
def stats(session: Session, /) -> None:
    """Show how much waits, runs and is free."""
    found = session.client.stats()
    session.show(found, lambda: _show(found))


def _show(found: JsonObject) -> None:
    output.facts(
        {
            "schedules": _counts(answers.member(found, "schedules")),
            "runs": f"{answers.text(found, 'pending')} pending, "
            f"{answers.text(found, 'leased')} leased, "
            f"{answers.text(found, 'running')} running",
            "oldest waits": _brief(found),
            "slots": f"{answers.text(found, 'slots_used')} of "
            f"{answers.text(found, 'slots')} in use",
            "workers": _counts(answers.member(found, "workers")),
        }
    )
    queues = answers.members(found, "queues")
    if not queues:
        return
    click.echo()
    members = ("queue", "pending", "leased", "running", "slots")
    rows = [
        [*(answers.text(queue, name) for name in members), _brief(queue) or "-"]
        for queue in queues
    ]
    output.table(("QUEUE", "PENDING", "LEASED", "RUNNING", "SLOTS", "WAITS"), rows)


def _brief(counted: JsonObject) -> str:
    lateness = answers.text(counted, "oldest_lateness")
    return instants.brief(lateness) if lateness else ""


def _counts(counts: JsonObject) -> str:
    return ", ".join(f"{answers.text(counts, name)} {name}" for name in counts)
