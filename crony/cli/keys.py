"""`crony keys`: who may do what."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

import click

from crony import errors
from crony.cli import answers, instants, output
from crony.cli.nouns import list_by_itself
from crony.cli.session import Session, connected, read_key
from crony.model.task import Json, JsonObject

_ROLES = ("admin", "operator", "editor", "viewer", "enroll")


@click.group(invoke_without_command=True)
@click.pass_context
def keys(context: click.Context) -> None:
    """List, add and remove keys; by itself it lists them."""
    list_by_itself(context, ls)


@keys.command()
@connected
def ls(session: Session, /) -> None:
    """List all keys, without their secrets."""
    found = list(session.client.each_key())
    session.show({"items": found}, lambda: _list(found))


@keys.command()
@click.argument("role", type=click.Choice(_ROLES))
@click.option("--description", metavar="TEXT", help="Who has it, and what for.")
@click.option("--expires-at", metavar="INSTANT", help="It is worthless from then on.")
@click.option("--out", metavar="FILE", help="Write the key to a new file of mode 0600.")
@connected
def add(
    session: Session,
    /,
    *,
    role: str,
    description: str | None,
    expires_at: str | None,
    out: str | None,
) -> None:
    """Make a key with a ROLE and print it: it is shown this once only."""
    body: dict[str, Json] = {"role": role}
    if description is not None:
        body["description"] = description
    if expires_at is not None:
        body["expires_at"] = expires_at
    if out is None:
        made = session.client.create_key(body)
        session.show(made, lambda: _tell(made))
        return
    # The file is made first: a key that can't be kept must not come to be.
    with _private_file(out) as file:
        made = session.client.create_key(body)
        file.write(answers.text(made, "key") + "\n")
    output.note(f"{answers.text(made, 'id')} ({role}) is in {out}")


@keys.command()
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@connected
def rm(session: Session, /, *, keys: tuple[str, ...]) -> None:
    """Make keys worthless, named by their ids."""
    for key in keys:
        session.client.delete_key(key)
        output.note(f"removed {key}")


@keys.command()
def admin() -> None:
    """Print the admin key of the service on this machine."""
    from crony.config import ADMIN_KEY, home

    path = home(os.environ) / ADMIN_KEY
    if not path.exists():
        raise errors.NotFound(
            "admin key; start the service once (crony up), set CRONY_HOME, or copy the "
            "file from the host whose node was started first. No file",
            str(path),
        )
    click.echo(read_key(str(path)))


def _private_file(path: str) -> TextIO:
    """Make a file for its owner alone; one that is there is left as it is."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as exc:
        raise click.UsageError(f"--out {path}: {exc.strerror}.") from exc
    return os.fdopen(descriptor, "w", encoding="ascii")


def _list(found: Sequence[JsonObject]) -> None:
    rows = [
        (
            answers.text(key, "id"),
            answers.text(key, "role"),
            answers.text(key, "prefix") + "…",
            answers.text(key, "description"),
            _when(key, "used_at"),
            _when(key, "expires_at"),
        )
        for key in found
    ]
    output.table(("ID", "ROLE", "KEY", "DESCRIPTION", "USED", "EXPIRES"), rows)


def _when(key: JsonObject, name: str) -> str:
    instant = answers.text(key, name)
    return instants.relative(instant) if instant else "-"


def _tell(made: JsonObject) -> None:
    click.echo(answers.text(made, "key"))
    output.note(f"{answers.text(made, 'id')}; keep it: it is not shown again")
