"""What still runs of that which came due meanwhile, on the command line."""

from __future__ import annotations

import click

MISFIRE = ("all", "latest", "none")

#: Of schedules, and of a group of them.
RESUME_MISFIRE = click.option(
    "--misfire",
    type=click.Choice(MISFIRE),
    help="What of that which was skipped runs after all: at default none.",
)
