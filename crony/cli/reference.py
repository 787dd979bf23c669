"""Write the reference of all programs: ``python -m crony.cli.reference``.

And what ``crony --help`` prints: ``python -m crony.cli.reference overview``.
"""

from __future__ import annotations

import inspect
import sys

import click

from crony.cli.api import api
from crony.cli.commands import crony
from crony.cli.main import WIDTH
from crony.cli.schedules import ls
from crony.cli.worker import worker

_HEAD = """\
# Programs

<!-- Written by `python -m crony.cli.reference`. -->

Options that all commands of `crony` share are listed once. Each of them, and each of
the two other programs', has a variable and a line in the file of
[settings](settings.md) too.

## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | refused by the service |
| 1 | of `run --wait` and `retry --wait`: the run failed |
| 1 | of `apply`: a schedule was refused; of `audit`: there is a gap |
| 1 | of `webhooks ping`: the test event was not taken |
| 2 | wrong usage: an option, a setting or a file |
| 3 | there is no such thing |
| 4 | no key, one that the service does not know, or one of too low a role |
| 5 | the service was not reached |
| 6 | a safeguard is missing, such as the sandbox |
| 130 | interrupted |

## Options of all commands of `crony`
"""

_SHARED = ("api", "key_file", "tenant", "config", "as_json")


def page() -> str:
    """Return the page as Markdown."""
    shared = [option for option in _parameters(ls) if option.name in _SHARED]
    lines = [_HEAD, *_table(shared)]
    for command, name in (
        (crony, "crony"),
        (api, "crony-api"),
        (worker, "crony-worker"),
    ):
        context = click.Context(command, info_name=name, **command.context_settings)
        lines += _section(command, context, level=2)
    return "\n".join(lines).rstrip() + "\n"


def overview() -> str:
    """Return what click draws for ``crony --help``."""
    # Two columns stay free, as click has it.
    context = crony.make_context(
        "crony", [], resilient_parsing=True, terminal_width=WIDTH - 2
    )
    return context.get_help() + "\n"


def _section(command: click.Command, context: click.Context, level: int) -> list[str]:
    """Return a command and all commands below it."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"{'#' * level} `{context.command_path}`", ""]
    lines += ["```text", usage, "```", "", *_text(command)]
    if not isinstance(command, click.Group):
        lines += _table(_own(command))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                below = click.Context(child, info_name=name, parent=context)
                lines += _section(child, below, level=3)
    return lines


def _text(command: click.Command) -> list[str]:
    """Return what a command says of itself; examples stay as they are."""
    lines: list[str] = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            lines += ["```text", paragraph.removeprefix("\b\n"), "```", ""]
        else:
            lines += [paragraph, ""]
    return lines


def _parameters(command: click.Command) -> list[click.Option]:
    return [found for found in command.params if isinstance(found, click.Option)]


def _own(command: click.Command) -> list[click.Option]:
    """Return the options that are not those of every command of the client."""
    found = _parameters(command)
    if not set(_SHARED) <= {option.name for option in found}:
        return found
    return [option for option in found if option.name not in _SHARED]


def _table(options: list[click.Option]) -> list[str]:
    """Return options as a table."""
    if not options:
        return []
    lines = ["| option | meaning |", "| --- | --- |"]
    for option in options:
        names = ", ".join(
            f"`{name}`" for name in (*option.opts, *option.secondary_opts)
        )
        metavar = "" if option.is_flag else f" `{_metavar(option)}`"
        more = " (repeatable)" if option.multiple else ""
        meaning = (option.help or "").replace("|", "\\|")
        lines.append(f"| {names}{metavar} | {meaning}{more} |")
    return [*lines, ""]


def _metavar(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "/".join(str(choice) for choice in option.type.choices)
    return option.metavar or "N"


def main() -> None:
    """Print the page, or the overview."""
    sys.stdout.write(overview() if sys.argv[1:] == ["overview"] else page())


if __name__ == "__main__":
    main()
