"""The options that say by which policy: of schedules and of profiles."""

from __future__ import annotations

import json

import click

from crony.cli import answers, task_options
from crony.cli.misfires import MISFIRE
from crony.model.task import Json

ON_OVERLAP = ("queue", "skip", "replace", "allow")
DELIVERY = ("at_least_once", "at_most_once")

OPTIONS = (
    click.option("--max-runtime", metavar="DURATION", help="Then it is stopped."),
    click.option("--grace", metavar="DURATION", help="From SIGTERM to SIGKILL."),
    click.option("--max-concurrent", type=click.IntRange(1), help="Runs at once."),
    click.option(
        "--on-overlap",
        type=click.Choice(ON_OVERLAP),
        help="When it is due and an earlier run goes on.",
    ),
    click.option(
        "--misfire",
        type=click.Choice(MISFIRE),
        help="What still runs of that which came due while the service was away.",
    ),
    click.option("--misfire-window", metavar="DURATION", help="None older than this."),
    click.option("--retries", type=click.IntRange(0), help="After a failed attempt."),
    click.option("--backoff", metavar="DURATION", help="Before the first retry."),
    click.option("--max-backoff", metavar="DURATION", help="Before each, at most."),
    click.option("--max-lost", type=click.IntRange(1), help="Attempts lost, at most."),
    click.option("--priority", type=int, help="High goes first: -100..100."),
    click.option("--deadline", metavar="DURATION", help="Over this long after due."),
    click.option(
        "--preemptible/--no-preemptible",
        default=None,
        help="It may give way to a run of higher priority.",
    ),
    click.option(
        "--delivery",
        type=click.Choice(DELIVERY),
        help="Whether a run that was lost with its worker starts again.",
    ),
    click.option("--sandbox", metavar="K=V", multiple=True, help="memory=1G, cpu=2, …"),
    click.option(
        "--retention", metavar="K=V", multiple=True, help="runs=100, age=30d, log=1M."
    ),
)

#: Options whose value is the member of that name, as it is.
_PLAIN = (
    "max_runtime",
    "grace",
    "max_concurrent",
    "on_overlap",
    "misfire",
    "misfire_window",
    "max_lost",
    "priority",
    "deadline",
    "preemptible",
    "delivery",
)

_RETRIES = {"retries": "max", "backoff": "backoff", "max_backoff": "max_backoff"}
_LISTS = ("ro_paths", "rw_paths", "pass_env")
_NUMBERS = ("cpu", "pids", "runs")


def policy_of(said: dict[str, Json]) -> dict[str, Json]:
    """Return the members that were given."""
    body = {name: said[name] for name in _PLAIN if said[name] is not None}
    retries = {
        member: said[option]
        for option, member in _RETRIES.items()
        if said[option] is not None
    }
    if retries:
        body["retries"] = retries
    for option in ("sandbox", "retention"):
        values = answers.words(said, option)
        if values:
            pairs = task_options.pairs(f"--{option}", values)
            body[option] = {name: _typed(name, text) for name, text in pairs.items()}
    return body


def _typed(name: str, text: str) -> Json:
    """Return a part of a policy as JSON has it: a list, a number or a text."""
    if name in _LISTS:
        return [item for item in text.split(",") if item]
    if name not in _NUMBERS:
        return text
    try:
        number: Json = json.loads(text)
    except ValueError:
        # The service says what is wrong with it.
        return text
    return number
