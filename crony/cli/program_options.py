"""The options of a program, made from the table of settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import click

from crony.config import Setting, Settings, load, rows

F = TypeVar("F", bound=Callable[..., object])

_Value = str | bool | tuple[str, ...] | None


def settings_options(*sections: str) -> Callable[[F], F]:
    """Give a command one option for each setting of these sections, and --config."""
    made = [_option(setting) for setting in rows() if setting.section in sections]
    made.append(click.option("--config", metavar="FILE", help="The file of settings."))

    def decorate(command: F) -> F:
        for option in reversed([found for found in made if found is not None]):
            command = option(command)
        return command

    return decorate


def settings_from(
    sections: Sequence[str], said: Mapping[str, _Value], *, config: str | None
) -> Settings:
    """Resolve the settings of a program: options over variables over the file."""
    overrides: dict[tuple[str, str], object] = {}
    for setting in rows():
        if setting.section in sections and setting.option:
            value = said.get(_variable(setting))
            overrides[setting.section, setting.key] = value or None
    return load(path=config, environ=os.environ, overrides=overrides)


def _option(setting: Setting) -> Callable[[F], F] | None:
    if setting.option is None:
        return None
    default = f" [{setting.shown}]" if setting.shown else ""
    help_text = setting.meaning + default
    variable = _variable(setting)
    form = setting.kind.form
    if form.startswith("`true`"):
        return click.option(setting.option, variable, is_flag=True, help=help_text)
    repeats = "separated by commas" in form
    metavar = next(
        (word for start, word in _METAVARS if form.startswith(start)), "TEXT"
    )
    return click.option(
        setting.option, variable, multiple=repeats, metavar=metavar, help=help_text
    )


#: What stands for the value in the list of options, by the kind's form.
_METAVARS = (
    ("`key=value`", "K=V"),
    ("`HOST:PORT`", "HOST:PORT"),
    ("`FIRST-LAST`", "FIRST-LAST"),
    ("URL", "URL"),
    ("path", "FILE"),
    ("duration", "DURATION"),
    ("whole number", "N"),
    ("one of", "WORD"),
)


def _variable(setting: Setting) -> str:
    return f"{setting.section}_{setting.key}"
