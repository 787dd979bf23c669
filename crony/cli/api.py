"""`crony-api`: the service."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import click

from crony import __version__
from crony.cli.failures import run
from crony.cli.program_options import settings_from, settings_options

_SECTIONS = ("api", "storage")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@settings_options(*_SECTIONS)
@click.option(
    "--new-admin-key",
    is_flag=True,
    help="Only make an admin key, beside those that there are, and write it to "
    "admin.key.",
)
@click.version_option(__version__, "--version", message="crony-api %(version)s")
@click.pass_context
def api(
    context: click.Context,
    /,
    *,
    config: str | None,
    new_admin_key: bool,
    **said: str | None,
) -> None:
    """Run the service until SIGTERM or SIGINT.

    Every setting has a variable and a line in the file of settings too. The first
    start on an empty store writes an admin key to admin.key in $CRONY_HOME.
    """
    settings = settings_from(_SECTIONS, said, config=config)
    # Imported here: --help needs none of it.
    from crony.api import server

    if new_admin_key:
        click.echo(f"a new admin key is in {server.new_admin_key(settings)}")
        return
    context.exit(server.serve(settings))


def main(argv: Sequence[str] | None = None) -> None:
    """Run `crony-api` and end with its exit code."""
    # PERF: a start makes nothing but what stays; to look through it for garbage again
    # and again takes a fifth of its time. The server collects once it is up.
    gc.disable()
    sys.exit(run(api, "crony-api", argv))


if __name__ == "__main__":
    main()
