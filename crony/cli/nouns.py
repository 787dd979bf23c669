"""Commands of a noun: `crony keys` by itself is `crony keys ls`."""

from __future__ import annotations

import click


def list_by_itself(context: click.Context, ls: click.Command) -> None:
    """List the things of a noun when nothing else was asked."""
    if context.invoked_subcommand is None:
        # Through its own parser: the list's options then have their defaults.
        with ls.make_context("ls", [], parent=context) as made:
            ls.invoke(made)
