"""The options that say when: the same for `crony add` and `crony preview`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from crony.model.task import Json

F = TypeVar("F", bound=Callable[..., object])

OPTIONS = (
    click.option("--cron", metavar="EXPRESSION", help="Five or six fields, or @daily."),
    click.option("--every", metavar="DURATION", help="Such as 5m; or a word: hour."),
    click.option("--at", metavar="INSTANT", help="Once: 2030-01-01T09:00:00Z, or now."),
    click.option("--timezone", metavar="ZONE", help="Such as Europe/Berlin."),
    click.option("--start-at", metavar="INSTANT", help="Not due before."),
    click.option("--end-at", metavar="INSTANT", help="Not due from then on."),
    click.option("--max-runs", type=click.IntRange(1), help="How often it is due."),
    click.option("--jitter", metavar="DURATION", help="Delay each by up to this."),
)

KINDS = ("cron", "every", "at")

#: Both the options' names and the members of a schedule.
NAMES = (
    *KINDS,
    "timezone",
    "start_at",
    "end_at",
    "max_runs",
    "jitter",
)


def given(options: tuple[Callable[[F], F], ...]) -> Callable[[F], F]:
    """Return a decorator that adds many options, in the order they are listed."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def trigger_of(said: dict[str, Json]) -> dict[str, Json]:
    """Return the members of a schedule that were given."""
    return {name: said[name] for name in NAMES if said.get(name) is not None}


def require_one(body: dict[str, Json]) -> None:
    """Refuse a call that says nothing about when, or too much."""
    kinds = [name for name in KINDS if name in body]
    if len(kinds) != 1:
        raise click.UsageError(
            "say when, in one way: --cron '30 2 * * *', --every 5m or --at now."
        )
