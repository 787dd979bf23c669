"""Edit a schedule as JSON in an editor; nothing that was typed is lost."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crony import errors
from crony.cli import answers, output
from crony.cli.failures import REFUSED, explain
from crony.model.task import JsonObject

if TYPE_CHECKING:
    from crony.client import Client

#: What is read with a schedule and is not its definition.
LIVE = frozenset(
    {
        "id",
        "tenant",
        "revision",
        "policy",
        "state",
        "trigger_description",
        "created_at",
        "updated_at",
        "next_run_at",
        "last_run",
        "recent_runs",
        "errors",
        "progress",
        "warnings",
    }
)


def edit_schedule(client: Client, schedule: str) -> JsonObject | None:
    """Let a person change a schedule; return it then, None when nothing was changed.

    Faults are shown, and on a terminal the editor opens again. Whatever ends it, a
    text that was changed and not saved is kept in its file, which is named.
    """
    found = client.get_schedule(schedule)
    shown = {name: value for name, value in found.items() if name not in LIVE}
    before = json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
    path = _written(before, schedule)
    saved: JsonObject | None = None
    try:
        while True:
            click.edit(filename=str(path))
            text = path.read_text(encoding="utf-8")
            if text == before:
                output.note("nothing was changed")
                return None
            try:
                saved = _save(client, found, text)
            except (errors.CronyError, click.UsageError) as exc:
                _mend(exc)
            else:
                return saved
    finally:
        if saved is not None or path.read_text(encoding="utf-8") == before:
            path.unlink()
        else:
            output.note(f"what you wrote is kept in {path}")


def _written(text: str, schedule: str) -> Path:
    # SECURITY: a task's environment may hold secrets; the file is its owner's alone.
    with tempfile.NamedTemporaryFile(
        "w",
        prefix=f"crony-{Path(schedule).name[:80]}-",
        suffix=".json",
        encoding="utf-8",
        delete=False,
    ) as file:
        file.write(text)
    return Path(file.name)


def _save(client: Client, found: JsonObject, text: str) -> JsonObject:
    try:
        body = json.loads(text)
    except ValueError as exc:
        raise click.UsageError(f"that is not JSON: {exc}.") from exc
    if not isinstance(body, dict):
        raise click.UsageError("a schedule is one JSON object.")
    revision = int(answers.text(found, "revision"))
    return client.put_schedule(answers.text(found, "id"), body, if_match=revision)


def _mend(failure: errors.CronyError | click.UsageError) -> None:
    """Tell what is wrong, and return if it is to be mended in the editor."""
    stale = isinstance(failure, errors.Refused) and failure.status == 412
    # What was changed meanwhile would be undone by trying again.
    if stale or not sys.stdin.isatty():
        raise failure
    if isinstance(failure, errors.CronyError):
        for line in explain(failure):
            output.note(line)
    else:
        output.note(failure.message)
    if not click.confirm("Edit it again?", default=True, err=True):
        raise click.exceptions.Exit(REFUSED) from failure
