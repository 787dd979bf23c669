"""`crony-worker`: executes runs on this host."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from crony import __version__
from crony.cli.failures import run
from crony.cli.program_options import settings_from, settings_options
from crony.config import Settings, ensure_home

_SECTIONS = ("worker",)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="crony-worker %(version)s")
def worker() -> None:
    """Execute the runs of a Crony service on this host, each in a sandbox."""


@worker.command()
@settings_options(*_SECTIONS)
@click.option("--no-run", is_flag=True, help="Only register; `crony-worker run` runs.")
@click.pass_context
def register(
    context: click.Context,
    /,
    *,
    no_run: bool,
    config: str | None,
    **said: str | None,
) -> None:
    """Register this host with the service, and run the worker.

    It takes a key of the role enroll. On the service's own machine no option is
    needed. The same name on the same machine again is the same worker.
    """
    settings = _prepared(config, said)
    from crony.worker.program import register_worker
    from crony.worker.registration import register as enroll

    home = ensure_home(os.environ)
    if no_run:
        enroll(settings, home=home)
        click.echo(f"registered {settings.worker.name}; run it: crony-worker run")
        return
    context.exit(register_worker(settings, home=home))


@worker.command("run")
@settings_options(*_SECTIONS)
@click.pass_context
def run_(context: click.Context, /, *, config: str | None, **said: str | None) -> None:
    """Run the worker that was registered: for a service manager.

    SIGTERM lets it finish what runs and start nothing new; a second one stops at
    once.
    """
    settings = _prepared(config, said)
    from crony.worker.program import run_worker
    from crony.worker.registration import load_credentials

    home = ensure_home(os.environ)
    credentials = load_credentials(settings, home=home)
    context.exit(run_worker(settings, credentials, home=home))


def _prepared(config: str | None, said: dict[str, str | None]) -> Settings:
    """Resolve the settings, and send the log where they say."""
    from crony import log

    settings = settings_from(_SECTIONS, said, config=config)
    log.setup(level=settings.worker.log_level, form=settings.worker.log_format)
    return settings


def main(argv: Sequence[str] | None = None) -> None:
    """Run `crony-worker` and end with its exit code."""
    sys.exit(run(worker, "crony-worker", argv))


if __name__ == "__main__":
    main()
