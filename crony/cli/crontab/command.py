"""`crony crontab import`: take over crontabs, again and again."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from crony import errors
from crony.cli import output
from crony.cli.crontab import plan as plans
from crony.cli.crontab import report
from crony.cli.crontab.entries import Wanted, file_label, host_zone, schedules_of
from crony.cli.crontab.parse import Crontab, Remark, parse
from crony.cli.crontab.plan import Plan, Step
from crony.cli.session import Session, connected

#: Fewer requests than this are over before a progress bar is read.
_LONG = 25


@dataclass(frozen=True, slots=True)
class _Options:
    system: bool
    dry_run: bool
    prune: bool
    skip_invalid: bool


class _Unusable(click.ClickException):
    """A crontab with faults: like wrong usage, without the reminder of the options."""

    exit_code = 2


@click.group()
def crontab() -> None:
    """Take over the lines of crontabs as schedules."""


@crontab.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--system", is_flag=True, help="The lines have a column with the user.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--prune", is_flag=True, help="Remove what is gone from the files.")
@click.option("--skip-invalid", is_flag=True, help="Import the lines that are right.")
@click.option("--timezone", metavar="ZONE", help="Not this host's, without CRON_TZ.")
@click.option("--queue", metavar="NAME", help="The queue of the schedules.")
@connected
def import_(
    session: Session,
    /,
    *,
    files: Sequence[str],
    timezone: str | None,
    queue: str | None,
    **flags: bool,
) -> None:
    """Import each FILE, a crontab in Debian's format; - is stdin.

    The same file again changes nothing; an edited one is followed. With one line
    that can't be imported nothing is, unless --skip-invalid is given.
    """
    options = _Options(**flags)
    tables = {path: parse(_text(path), system=options.system) for path in files}
    wanted = _wanted(tables, zone=timezone or host_zone(), queue=queue)
    for path, table in tables.items():
        report.warnings(path, table, system=options.system)
    faults = {path: list(table.faults) for path, table in tables.items()}
    plan = _plan(session, wanted, faults=faults, options=options)
    _stop_at_faults(faults, options)
    if options.dry_run:
        report.sandbox(tables)
    elif plan is not None:
        _carry_out(session, plan, options)
    session.show(
        report.document(plan, wanted, pruned=options.prune, dry_run=options.dry_run),
        lambda: report.changes(
            plan, wanted, pruned=options.prune, dry_run=options.dry_run
        ),
    )


def _text(path: str) -> str:
    """Return a file's text; what is not UTF-8 is kept, to name its line."""
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as exc:
        raise click.UsageError(f"{path}: {exc.strerror}.") from exc
    return raw.decode("utf-8", "surrogateescape")


def _wanted(
    tables: dict[str, Crontab], *, zone: str, queue: str | None
) -> list[Wanted]:
    names: Counter[str] = Counter()
    return [
        item
        for path, table in tables.items()
        for item in schedules_of(
            path, table.entries, zone=zone, queue=queue, names=names
        )
    ]


def _stop_at_faults(faults: dict[str, list[Remark]], options: _Options) -> None:
    """Name every line that can't be imported; end here unless they are skipped."""
    for path, remarks in faults.items():
        in_order = sorted(remarks, key=lambda remark: remark.line)
        report.faults(path, in_order, skipped=options.skip_invalid)
    count = sum(len(remarks) for remarks in faults.values())
    if count and not options.skip_invalid:
        lines, them = ("1 line", "it") if count == 1 else (f"{count} lines", "them")
        raise _Unusable(
            f"{lines} can't be imported, so nothing was; mend {them}, or leave {them} "
            "out with --skip-invalid."
        )


def _plan(
    session: Session,
    wanted: list[Wanted],
    *,
    faults: dict[str, list[Remark]],
    options: _Options,
) -> Plan | None:
    """Return what would change, and add to ``faults`` what the service refuses.

    None without a service, where a dry run, or naming the faults, goes on without.
    """
    labels = {file_label(path) for path in faults}
    stops = any(faults.values()) and not options.skip_invalid
    try:
        there = plans.existing(session.client, sorted(labels))
    except errors.ServiceUnreachable:
        if not options.dry_run and not stops:
            raise
        output.warning("no service was reached: what is there is not compared")
        return None
    plan = plans.compare(wanted, there)
    with _progress("Checking", plan.steps) as step:
        refused = plans.refused(session.client, plan, step)
    for path, remarks in refused.items():
        faults[path].extend(remarks)
    bad = {(path, remark.line) for path, found in refused.items() for remark in found}
    plan.new = [item for item in plan.new if (item.path, item.line) not in bad]
    plan.changed = [
        (item, found)
        for item, found in plan.changed
        if (item.path, item.line) not in bad
    ]
    return plan


def _carry_out(session: Session, plan: Plan, options: _Options) -> None:
    with _progress("Importing", plan.steps) as step:
        plans.apply(session.client, plan, step)
    if options.prune:
        plans.prune(session.client, plan)


@contextmanager
def _progress(title: str, steps: int) -> Iterator[Step]:
    """Show a bar on a terminal, when there is much to do."""
    if steps < _LONG or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=steps)
        yield lambda: bar.advance(task)
