"""`crony import`: take an export in, and let it go on here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import click

from crony import errors
from crony.cli import failures, output
from crony.cli.moving import files
from crony.cli.moving.bars import measured
from crony.cli.moving.places import House, Result, house
from crony.cli.session import Session, connected

_Step = Callable[[int], None]

#: What is sent at once: little enough to see it go on.
_LINES, _BYTES = 500, 1 << 20

#: So many refused lines are printed.
_TOLD = 100


@dataclass(slots=True)
class _Tally:
    """What became of an import."""

    path: str
    tenants: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    refused: list[dict[str, object]] = field(default_factory=list)
    complete: bool = False

    def add(self, result: Result, *, line: int) -> None:
        """Count a line of the file."""
        self.counts[result.outcome] += 1
        self.complete = self.complete or result.kind == "complete"
        if result.outcome != "refused":
            return
        if len(self.refused) < _TOLD:
            what = f"{result.kind} {result.id}".strip()
            self.refused.append({"line": line, "what": what, "why": result.why})
            name = f" {what}" if what else ""
            output.note(f"{self.path}:{line}:{name} refused: {result.why}")


@click.command("import")
@click.argument("path", required=False, metavar="[FILE]")
@click.option("--activate", is_flag=True, help="Then let the tenant go on here.")
@click.option(
    "--from",
    "first",
    type=click.IntRange(2),
    metavar="LINE",
    help="Go on at this line of the file.",
)
@click.option("--storage", metavar="URL", help="Into a store, without a service.")
@connected
def import_(
    session: Session,
    /,
    *,
    path: str | None,
    activate: bool,
    first: int | None,
    storage: str | None,
) -> None:
    """Take the export of FILE in; - is stdin.

    The tenant is held until it is activated: nothing of it comes due or starts. The
    same export again, or a later one, brings what changed since. Without a FILE,
    --activate lets the tenant go on that moved in before.

    \b
    crony import crony.ndjson
    crony import last.ndjson --activate
    """
    if path is None and not activate:
        raise click.UsageError("Name the file of an export, or --activate.")
    with house(session, storage, fresh=True) as target:
        if path is None:
            target.activate(None)
            session.show({"activated": [session.tenant]}, _tell_activated)
            return
        tally = _Tally("stdin" if path == "-" else path)
        _import(target, path, tally, first=first or 2)
        whole = tally.complete and not tally.counts["refused"]
        if activate and whole:
            for tenant in tally.tenants:
                target.activate(tenant)
    session.show(
        _document(tally, activated=activate and whole),
        lambda: _tell(tally, activate=activate, whole=whole),
    )
    if not whole:
        click.get_current_context().exit(failures.REFUSED)


def _import(target: House, path: str, tally: _Tally, *, first: int) -> None:
    reached = first
    with files.read(path) as (file, size), measured("Importing", size) as step:
        header = file.readline()
        tally.tenants = _tenants(header, tally.path)
        step(len(header))
        try:
            for number, lines in _pieces(file, target, step, tally, first=first):
                for result in target.take([header, *lines]):
                    if result.line > 1:
                        tally.add(result, line=number + result.line - 2)
                step(sum(map(len, lines)))
                reached = number + len(lines)
        except (errors.CronyError, KeyboardInterrupt):
            if reached > 2 and path != "-":
                output.note(f"to go on: crony import {path} --from {reached}")
            raise


def _tenants(header: bytes, path: str) -> list[str]:
    """Return the tenants that an export says it has."""
    try:
        said = json.loads(header)
        if said["kind"] != "header":
            raise ValueError(said["kind"])
        return [str(name) for name in said["value"]["tenants"]]
    except (ValueError, KeyError, TypeError) as exc:
        raise click.UsageError(f"{path} does not begin as an export does.") from exc


def _pieces(
    file: BinaryIO, target: House, step: _Step, tally: _Tally, *, first: int
) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the lines of a file, some at a time, with the number of the first."""
    piece: list[bytes] = []
    size, begun = 0, first
    # Room is left for the header.
    most = target.most - (1 << 20)
    for number, line in enumerate(file, 2):
        if number < first:
            step(len(line))
            continue
        if len(line) > most:
            why = f"is larger than {most >> 20} MiB; import it with --storage"
            tally.add(Result(number, "", "", "refused", why), line=number)
            yield from _some(begun, piece)
            piece, size, begun = [], 0, number + 1
            continue
        if piece and (len(piece) == _LINES or size + len(line) > _BYTES):
            yield begun, piece
            piece, size, begun = [], 0, number
        piece.append(line)
        size += len(line)
    yield from _some(begun, piece)


def _some(begun: int, piece: list[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    if piece:
        yield begun, piece


def _document(tally: _Tally, *, activated: bool) -> dict[str, object]:
    return {
        "complete": tally.complete,
        "stored": tally.counts["stored"],
        "unchanged": tally.counts["unchanged"],
        "refused": tally.counts["refused"],
        "faults": tally.refused,
        "held": [] if activated else tally.tenants,
        "activated": tally.tenants if activated else [],
    }


def _tell(tally: _Tally, *, activate: bool, whole: bool) -> None:
    counts = tally.counts
    lines = output.counted(counts["stored"], "line")
    click.echo(f"{lines} stored, {counts['unchanged']} unchanged")
    if not tally.complete:
        output.warning(
            f"{tally.path} ends early: go on with its export (crony export --resume) "
            "and import it again"
        )
    if counts["refused"]:
        refused = output.counted(counts["refused"], "line")
        output.warning(f"{refused} refused; import it again when they are mended")
    names = ", ".join(tally.tenants)
    if activate and whole:
        click.echo(f"{names}: activated")
    else:
        each = " --tenant NAME" if len(tally.tenants) > 1 else ""
        click.echo(
            f"{names}: held, nothing comes due; when all has moved in: "
            f"crony import --activate{each}"
        )


def _tell_activated() -> None:
    click.echo("activated")
