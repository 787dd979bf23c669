"""`crony workers`: who executes the runs."""

from __future__ import annotations

from collections.abc import Sequence

import click

from crony.cli import answers, instants, output
from crony.cli.lines import pairs_line
from crony.cli.nouns import list_by_itself
from crony.cli.session import Session, connected
from crony.model.task import JsonObject


@click.group(invoke_without_command=True)
@click.pass_context
def workers(context: click.Context) -> None:
    """List workers, drain or remove them; by itself it lists them."""
    list_by_itself(context, ls)


@workers.command()
@connected
def ls(session: Session, /) -> None:
    """List all workers."""
    found = list(session.client.each_worker())
    session.show({"items": found}, lambda: _list(found))


@workers.command()
@click.argument("worker")
@connected
def show(session: Session, /, *, worker: str) -> None:
    """Show WORKER and what it runs."""
    found = session.client.get_worker(worker)
    session.show(found, lambda: _show(found))


@workers.command()
@click.argument("worker")
@connected
def drain(session: Session, /, *, worker: str) -> None:
    """Let WORKER finish what it has, and give it nothing new."""
    found = session.client.drain_worker(worker)
    session.show(found, lambda: output.note(f"{worker} drains"))


@workers.command()
@click.argument("workers", nargs=-1, required=True, metavar="WORKER...")
@connected
def rm(session: Session, /, *, workers: tuple[str, ...]) -> None:
    """Forget workers; their keys no longer work."""
    for worker in workers:
        session.client.delete_worker(worker)
        output.note(f"removed {worker}")


def _list(found: Sequence[JsonObject]) -> None:
    if not found:
        output.note("no workers yet; start one: crony-worker register")
        return
    rows = [
        (
            answers.text(worker, "name"),
            answers.text(worker, "state"),
            f"{answers.text(worker, 'slots_used')}/{answers.text(worker, 'slots')}",
            ", ".join(answers.words(worker, "queues")),
            answers.text(worker, "sandbox_level"),
            _seen(worker),
            answers.text(worker, "id"),
        )
        for worker in found
    ]
    columns = ("NAME", "STATE", "SLOTS", "QUEUES", "SANDBOX", "SEEN", "ID")
    output.table(columns, rows)


def _seen(worker: JsonObject) -> str:
    instant = answers.text(worker, "seen_at")
    return instants.relative(instant) if instant else "-"


def _show(worker: JsonObject) -> None:
    output.facts(
        {
            "name": answers.text(worker, "name"),
            "id": answers.text(worker, "id"),
            "state": answers.text(worker, "state"),
            "queues": ", ".join(answers.words(worker, "queues")),
            "labels": pairs_line(answers.member(worker, "labels")),
            "slots": f"{answers.text(worker, 'slots_used')} of "
            f"{answers.text(worker, 'slots')} in use",
            "sandbox": answers.text(worker, "sandbox_level"),
            "version": answers.text(worker, "version"),
            "seen": _seen(worker),
            "runs": " ".join(answers.words(worker, "running")),
        }
    )
