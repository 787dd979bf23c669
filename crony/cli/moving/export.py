"""`crony export`: write a tenant, or all, down."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import click

from crony import wire
from crony.cli import output
from crony.cli.moving import files
from crony.cli.moving.bars import counting
from crony.cli.moving.places import House, house
from crony.cli.session import Session, connected

#: Between two looks at what workers have still.
_LOOK = 0.5

_GOES_ON = (
    "the source goes on meanwhile; before the last export hold it: crony export --hold"
)


@click.command("export")
@click.option("-o", "--output", "path", metavar="FILE", help="Not stdout, but a file.")
@click.option("--all", "everything", is_flag=True, help="All tenants (admins).")
@click.option("--with-secrets", is_flag=True, help="With the secrets of webhooks.")
@click.option(
    "--hold",
    is_flag=True,
    help="Hold the tenant first: nothing of it comes due or starts here any more.",
)
@click.option(
    "--wait",
    metavar="DURATION",
    default="10m",
    show_default=True,
    help="With --hold: how long to wait for what workers have.",
)
@click.option("--resume", is_flag=True, help="Go on with a FILE that broke off.")
@click.option("--storage", metavar="URL", help="Of a store, without a service.")
@connected
def export(
    session: Session,
    /,
    *,
    path: str | None,
    everything: bool,
    with_secrets: bool,
    hold: bool,
    wait: str,
    resume: bool,
    storage: str | None,
) -> None:
    """Write down all that a tenant has, as lines of JSON.

    `crony import` takes them in elsewhere. Files are for their owner alone. Keys come
    without their secrets, webhooks too unless asked for.

    \b
    crony export -o crony.ndjson
    crony export --hold -o last.ndjson
    crony export --storage sqlite:///crony.db | ssh other crony import -
    """
    if resume and path is None:
        raise click.UsageError("--resume goes on with a file: name it with --output.")
    with house(session, storage, fresh=False) as source:
        if hold:
            patience = _duration(wait)
            for tenant in _tenants(source, everything=everything):
                _hold(source, tenant, patience=patience)
        with files.written(path, resumed=resume) as (file, place):
            lines = source.lines(
                everything=everything, secrets=with_secrets, behind=place
            )
            counts: Counter[str] = Counter()
            for kind, line in _counted(lines):
                file.write(line)
                counts[kind] += 1
            file.flush()
    if not hold and storage is None:
        output.note(_GOES_ON)
    if sys.stderr.isatty() or path is not None:
        output.note(_said(counts, path))


def _duration(text: str) -> timedelta:
    try:
        return wire.parse_duration(text)
    except ValueError as exc:
        raise click.UsageError(f"--wait: {exc}.") from exc


def _tenants(source: House, *, everything: bool) -> list[str | None]:
    """Return the tenants to hold; the caller's own is named by nobody."""
    if not everything:
        return [None]
    header = next(source.lines(everything=True, secrets=False, behind=None))
    return list(json.loads(header)["value"]["tenants"])


def _hold(source: House, tenant: str | None, *, patience: timedelta) -> None:
    source.hold(tenant)
    until = time.monotonic() + patience.total_seconds()
    said = 0
    while left := source.in_hands(tenant):
        if time.monotonic() > until:
            output.warning(
                f"{output.counted(left, 'run')} had not ended: elsewhere they begin "
                "again, or have failed as lost where they must not start twice"
            )
            return
        if left != said:
            output.note(f"waiting for {output.counted(left, 'run')} to end")
            said = left
        time.sleep(_LOOK)


def _counted(lines: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    with counting("Exporting") as step:
        for line in lines:
            kind = str(json.loads(line[: line.index(b",")] + b"}")["kind"])
            step(kind)
            yield kind, line


def _said(counts: Counter[str], path: str | None) -> str:
    schedules = output.counted(counts["schedule"], "schedule")
    runs = output.counted(counts["run"], "run")
    where = f" to {path}" if path else ""
    return f"exported {schedules} and {runs}{where}"
