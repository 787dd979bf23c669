"""`crony why`, `occurrences`, `audit`, `backfill`: every occurrence accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import click

from crony.cli import answers, instants, output
from crony.cli.instants import INSTANT
from crony.cli.names import SCHEDULE
from crony.cli.session import Session, connected
from crony.model.task import Json, JsonObject

_FROM = click.option(
    "--from", "since", metavar="INSTANT", type=INSTANT, help="Inclusive."
)
_TO = click.option("--to", "until", metavar="INSTANT", type=INSTANT, help="Exclusive.")


@click.command()
@click.argument("schedule", type=SCHEDULE)
@click.option("--at", metavar="INSTANT", type=INSTANT, help="Not the newest.")
@connected
def why(session: Session, /, *, schedule: str, at: str | None) -> None:
    """Say why an occurrence of SCHEDULE did, or did not, run.

    It is the newest that has come due, or the first to come, unless --at says
    otherwise. Of an instant that is none it says why not.

    \b
    crony why report --at 2026-11-20T02:30
    """
    found = session.client.why(schedule, at=at)
    session.show(found, lambda: _why(found))


@click.command()
@click.argument("schedule", type=SCHEDULE)
@_FROM
@_TO
@click.option("-n", "--limit", type=click.IntRange(1), default=100, help="At most.")
@connected
def occurrences(
    session: Session,
    /,
    *,
    schedule: str,
    since: str | None,
    until: str | None,
    limit: int,
) -> None:
    """List the occurrences of SCHEDULE, past and to come, and how each ended.

    At default from a day back to a day ahead.

    \b
    crony occurrences report --from 2026-11-01 --to 2026-12-01
    """
    answer = session.client.list_occurrences(
        schedule, since=since, until=until, limit=min(limit, 1000)
    )
    found = answers.members(answer, "items")
    while answer["next"] is not None and len(found) < limit:
        answer = session.client.list_occurrences(
            schedule,
            since=since,
            until=until,
            limit=min(limit - len(found), 1000),
            cursor=str(answer["next"]),
        )
        found += answers.members(answer, "items")
    whole = {**answer, "items": found}
    session.show(whole, lambda: _occurrences(whole))


@click.command()
@click.argument("schedule", required=False, type=SCHEDULE)
@_FROM
@_TO
@connected
def audit(
    session: Session,
    /,
    *,
    schedule: str | None,
    since: str | None,
    until: str | None,
) -> None:
    """Look for occurrences without a record; exit 1 if there is one.

    Of SCHEDULE, or of all; at default of the last day.

    \b
    crony audit --from 2026-11-01
    """
    whole: dict[str, Json] = {"checked": 0, "schedules": 0}
    gaps: list[JsonObject] = []
    unverifiable: list[JsonObject] = []
    for part in session.client.each_audit(
        schedule=schedule, since=since, until=until, limit=100
    ):
        for name in ("checked", "schedules"):
            whole[name] = _number(whole, name) + _number(part, name)
        gaps += answers.members(part, "gaps")
        unverifiable += answers.members(part, "unverifiable")
    whole |= {"gaps": gaps, "unverifiable": unverifiable}
    session.show(whole, lambda: _audit(whole))
    if gaps:
        click.get_current_context().exit(1)


@click.command()
@click.argument("schedule", type=SCHEDULE)
@click.option(
    "--from",
    "since",
    metavar="INSTANT",
    type=INSTANT,
    required=True,
    help="Inclusive.",
)
@click.option(
    "--to", "until", metavar="INSTANT", type=INSTANT, required=True, help="Exclusive."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be run.")
@connected
def backfill(
    session: Session, /, *, schedule: str, since: str, until: str, dry_run: bool
) -> None:
    """Run each occurrence that SCHEDULE has, or would have had, in a span of the past.

    \b
    crony backfill report --from 2026-11-01 --to 2026-11-08 --dry-run
    """
    # With a key an answer that is lost can be asked for again.
    made = session.client.backfill_schedule(
        schedule,
        since=since,
        until=until,
        dry_run=dry_run,
        idempotency_key=None if dry_run else str(uuid4()),
    )
    session.show(made, lambda: _backfilled(made))


def _number(answer: JsonObject, name: str) -> int:
    return int(answers.text(answer, name) or 0)


def _local(answer: JsonObject, name: str) -> str:
    instant = answers.text(answer, name)
    return f"{instants.local(instant)}, {instants.relative(instant)}" if instant else ""


def _why(found: JsonObject) -> None:
    click.echo(output.plain(answers.text(found, "detail")))
    click.echo()
    output.facts(
        {
            "code": answers.text(found, "code"),
            "occurrence": _local(found, "occurrence"),
            "before": _local(found, "before"),
            "after": _local(found, "after"),
            "run": answers.text(found, "run"),
            "others": " ".join(answers.words(found, "runs")),
        }
    )


def _occurrences(answer: JsonObject) -> None:
    found = answers.members(answer, "items")
    if found:
        rows = [
            (
                instants.local(answers.text(item, "at")),
                _until(item),
                answers.text(item, "count"),
                answers.text(item, "state"),
                answers.text(item, "reason"),
                answers.text(item, "run"),
            )
            for item in found
        ]
        output.table(("DUE", "UNTIL", "COUNT", "STATE", "REASON", "RUN"), rows)
    else:
        output.note("nothing is due in that span")
    if answer.get("next") is not None:
        output.note("there is more: ask for a shorter span, or for more with -n")
    pruned = answers.member(answer, "pruned")
    if pruned:
        until = instants.local(answers.text(pruned, "until"))
        counts = answers.member(pruned, "occurrences")
        many = ", ".join(f"{answers.text(counts, name)} {name}" for name in counts)
        output.note(f"of occurrences up to {until} records were pruned: {many}")


def _until(item: JsonObject) -> str:
    until = answers.text(item, "until")
    same = not until or until == item["at"]
    return "" if same else instants.local(until)


def _audit(whole: JsonObject) -> None:
    gaps = answers.members(whole, "gaps")
    unverifiable = answers.members(whole, "unverifiable")
    click.echo(
        f"{output.counted(answers.text(whole, 'checked'), 'occurrence')} of "
        f"{output.counted(answers.text(whole, 'schedules'), 'schedule')} checked: "
        + (output.counted(len(gaps), "gap") if gaps else "none without a record")
    )
    if gaps:
        click.echo()
        columns = ("SCHEDULE", "FROM", "UNTIL", "COUNT")
        output.table(columns, _rows(gaps, ("schedule", "at", "until", "count")))
    if unverifiable:
        click.echo()
        columns = ("NOT CHECKED", "FROM", "TO", "WHY")
        output.table(columns, _rows(unverifiable, ("schedule", "from", "to", "why")))


def _rows(items: Sequence[JsonObject], names: Sequence[str]) -> list[list[str]]:
    """Return members as a table has them: instants on this machine's clock."""
    return [
        [
            instants.local(answers.text(item, name))
            if name in ("at", "until", "from", "to") and item.get(name)
            else answers.text(item, name)
            for name in names
        ]
        for item in items
    ]


def _backfilled(made: JsonObject) -> None:
    count = answers.text(made, "count")
    verb = "would be made" if made.get("dry_run") else "made; due now, oldest first"
    click.echo(f"{output.counted(count, 'run')} {verb}")
    runs = answers.members(made, "runs")
    if runs:
        rows = [
            (
                answers.text(run, "id") or "-",
                instants.local(answers.text(run, "scheduled_for")),
            )
            for run in runs
        ]
        output.table(("RUN", "OF"), rows)
    if len(runs) < int(count or 0):
        output.note(f"… and {int(count) - len(runs)} more")
