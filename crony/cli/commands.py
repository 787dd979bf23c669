"""All commands of `crony`.

Each lives in a module that is imported when the command is called: the list below is
all that is known of the others.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import click

from crony import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Place(NamedTuple):
    """Where a command is, and what the list of commands says of it."""

    module: str
    attribute: str
    meaning: str


COMMANDS = {
    "up": Place("up", "up", "Start the service and a worker here."),
    "add": Place("add", "add", "Add a schedule."),
    "edit": Place("edit", "edit", "Change a schedule."),
    "apply": Place("apply", "apply", "Create and replace schedules of files."),
    "ls": Place("schedules", "ls", "List the schedules."),
    "show": Place("schedules", "show", "Show a schedule and its last runs."),
    "rm": Place("schedules", "rm", "Remove schedules."),
    "pause": Place("schedules", "pause", "Let what comes due be skipped."),
    "resume": Place("schedules", "resume", "Go on with a paused schedule."),
    "run": Place("runs", "run", "Run a schedule now."),
    "runs": Place("runs", "runs", "List runs, the newest first."),
    "logs": Place("logs", "logs", "Print the output of a run."),
    "cancel": Place("runs", "cancel", "Stop runs, or keep them from starting."),
    "retry": Place("runs", "retry", "Run a finished run once more."),
    "upcoming": Place("triggers", "upcoming", "Show when a schedule is due next."),
    "preview": Place("triggers", "preview", "Show when a trigger would be due."),
    "why": Place("ledger", "why", "Say why an occurrence did, or did not, run."),
    "occurrences": Place("ledger", "occurrences", "List what was and will be due."),
    "audit": Place("ledger", "audit", "Look for occurrences without a record."),
    "backfill": Place("ledger", "backfill", "Run the occurrences of a span."),
    "events": Place("events", "events", "Print what happens."),
    "groups": Place("groups", "groups", "Look after groups of schedules."),
    "profiles": Place("profiles", "profiles", "Look after named policy."),
    "webhooks": Place("webhooks", "webhooks", "Have events sent."),
    "workers": Place("workers", "workers", "List workers, drain or remove them."),
    "keys": Place("keys", "keys", "List, add and remove keys."),
    "export": Place("moving.export", "export", "Write all that a tenant has down."),
    "import": Place("moving.importing", "import_", "Take an export in."),
    "stats": Place("stats", "stats", "Show how much waits, runs and is free."),
    "crontab": Place("crontab.command", "crontab", "Take over crontabs."),
    "completion": Place("completion", "completion", "Print a shell's completion."),
}


class Commands(click.Group):
    """Finds commands by name, without importing the others."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        found = getattr(import_module(f"crony.cli.{place.module}"), place.attribute)
        if not isinstance(found, click.Command):
            raise TypeError(f"{place.module}.{place.attribute} is no command")
        return found

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Propose commands from the table, and what every group proposes besides."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=place.meaning)
            for name, place in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        # A group's own would import each command, to ask whether it is hidden.
        return found + super(click.Group, self).shell_complete(ctx, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Say where the options of all commands belong: behind the command."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as exc:
            from crony.cli.session import OPTIONS

            if exc.option_name not in OPTIONS:
                raise
            raise click.UsageError(
                f'"{exc.option_name}" comes after the command, such as '
                f"crony ls {exc.option_name} …",
                ctx,
            ) from exc

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command to call; name the nearest when there is none."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(name, COMMANDS, n=1)
            hint = f' Did you mean "{close[0]}"?' if close else ""
            ctx.fail(f'There is no command "{name}".{hint}')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Call a command; that its reader has seen enough is no failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # What is still buffered for the pipe must not be tried once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(n, place.meaning) for n, place in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`crony up` starts a service and a worker on this machine for a first look. "
    "`crony COMMAND --help` tells more.",
)
@click.version_option(__version__, "--version", message="crony %(version)s")
def crony() -> None:
    """Schedule tasks with a Crony service, and follow what becomes of them."""
