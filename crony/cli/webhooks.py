"""`crony webhooks`: where events are sent."""

from __future__ import annotations

from collections.abc import Sequence

import click

from crony.cli import answers, instants, merging, output
from crony.cli.names import WEBHOOK
from crony.cli.nouns import list_by_itself
from crony.cli.session import Session, connected, read_key
from crony.cli.words import Words
from crony.model.event import FILTERS
from crony.model.task import Json, JsonObject


@click.group(invoke_without_command=True)
@click.pass_context
def webhooks(context: click.Context) -> None:
    """List, make, test and remove webhooks; by itself it lists them."""
    list_by_itself(context, ls)


@webhooks.command()
@connected
def ls(session: Session, /) -> None:
    """List all webhooks, without their secrets."""
    found = list(session.client.each_webhook())
    session.show({"items": found}, lambda: _list(found))


@webhooks.command("set")
@click.argument("webhook", type=WEBHOOK)
@click.option("--url", metavar="URL", help="Where events are sent.")
@click.option(
    "--type",
    "types",
    metavar="TYPE",
    multiple=True,
    type=Words(FILTERS),
    help="Which, such as run.failed or worker.*; all unless said.",
)
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option("--secret-file", metavar="FILE", help="Your own secret; - is stdin.")
@click.option("--paused/--active", default=None, help="Whether it is sent to.")
@connected
def set_(
    session: Session,
    /,
    *,
    webhook: str,
    types: tuple[list[str], ...],
    secret_file: str | None,
    **said: str | bool | None,
) -> None:
    """Make WEBHOOK, or change what is said of it.

    Deliveries are signed with a secret, which is printed when the webhook is made,
    this once.

    \b
    crony webhooks set alarm --url https://example.org/hook --type run.failed,worker.*
    crony webhooks set alarm --paused
    """
    patch: dict[str, Json] = {
        k: value for k, value in said.items() if value is not None
    }
    if types:
        patch["types"] = [word for words in types for word in words]
    if secret_file is not None:
        patch["secret"] = read_key(secret_file, option="--secret-file")
    client = session.client
    made = merging.put(client.get_webhook, client.put_webhook, webhook, patch)
    session.show(made, lambda: _tell(made))


@webhooks.command()
@click.argument("webhooks", nargs=-1, required=True, metavar="WEBHOOK...", type=WEBHOOK)
@connected
def rm(session: Session, /, *, webhooks: tuple[str, ...]) -> None:
    """Remove webhooks; nothing more is sent to them."""
    for webhook in webhooks:
        session.client.delete_webhook(webhook)
        output.note(f"removed {webhook}")


@webhooks.command()
@click.argument("webhook", type=WEBHOOK)
@connected
def ping(session: Session, /, *, webhook: str) -> None:
    """Send a test event to WEBHOOK now; exit 1 if it was not taken."""
    sent = session.client.ping_webhook(webhook)
    session.show(sent, lambda: click.echo(_outcome(sent)))
    if sent.get("state") != "delivered":
        click.get_current_context().exit(1)


@webhooks.command()
@click.argument("webhook", type=WEBHOOK)
@click.option("-n", "--limit", type=click.IntRange(1), default=20, help="At most.")
@connected
def deliveries(session: Session, /, *, webhook: str, limit: int) -> None:
    """List what was sent to WEBHOOK or is to be, the newest event first."""
    found: list[JsonObject] = []
    for item in session.client.each_delivery(webhook, limit=min(limit, 1000)):
        found.append(item)
        if len(found) == limit:
            break
    session.show({"items": found}, lambda: _deliveries(found))


@webhooks.command()
@click.argument("webhook", type=WEBHOOK)
@click.argument("events", nargs=-1, required=True, metavar="EVENT...")
@connected
def retry(session: Session, /, *, webhook: str, events: tuple[str, ...]) -> None:
    """Send events to WEBHOOK once more, by their ids."""
    changed = [session.client.retry_delivery(webhook, event) for event in events]
    session.show({"items": changed}, lambda: _deliveries(changed))


def _tell(webhook: JsonObject) -> None:
    _list([webhook])
    secret = answers.text(webhook, "secret")
    if secret:
        click.echo(secret)
        output.note("deliveries are signed with it; keep it: it is not shown again")


def _list(found: Sequence[JsonObject]) -> None:
    if not found:
        output.note(
            "no webhooks yet; make one: crony webhooks set alarm --url https://…"
        )
        return
    rows = [
        (
            answers.text(webhook, "name"),
            "paused" if webhook.get("paused") else "active",
            ", ".join(answers.words(webhook, "types")) or "all",
            answers.text(webhook, "url"),
            answers.text(webhook, "description"),
        )
        for webhook in found
    ]
    output.table(("NAME", "STATE", "TYPES", "URL", "DESCRIPTION"), rows)


def _deliveries(found: Sequence[JsonObject]) -> None:
    if not found:
        output.note("nothing was sent yet")
        return
    rows = [
        (
            answers.text(delivery, "event"),
            answers.text(delivery, "type"),
            answers.text(delivery, "state"),
            answers.text(delivery, "tries"),
            _when(delivery),
            answers.text(delivery, "error") or answers.text(delivery, "status"),
        )
        for delivery in found
    ]
    output.table(("EVENT", "TYPE", "STATE", "TRIES", "WHEN", "OUTCOME"), rows)


def _when(delivery: JsonObject) -> str:
    for name in ("finished_at", "next_at", "created_at"):
        instant = answers.text(delivery, name)
        if instant:
            return instants.relative(instant)
    return "-"


def _outcome(delivery: JsonObject) -> str:
    state = output.state(answers.text(delivery, "state"))
    status = answers.text(delivery, "status")
    error = output.plain(answers.text(delivery, "error"))
    return ", ".join(
        part for part in (state, status and f"HTTP {status}", error) if part
    )
