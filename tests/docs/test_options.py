"""The options that the settings page promises are those of the programs."""

import click
import pytest

from crony import config
from crony.cli.api import api
from crony.cli.commands import crony
from crony.cli.worker import worker


def options(command: click.Command) -> set[str]:
    return {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }


def program(section: str) -> set[str]:
    if section in ("api", "storage"):
        return options(api)
    if section == "worker":
        return options(worker.commands["register"])
    command = crony.get_command(click.Context(crony), "ls")
    assert command is not None
    return options(command)


@pytest.mark.parametrize(
    "setting", config.rows(), ids=lambda row: f"{row.section}.{row.key}"
)
def test_option_of_a_setting_is_one_of_its_program(setting: config.Setting) -> None:
    found = program(setting.section)

    if setting.option is None:
        assert "--key" not in found, "a secret must not be an argument"
    else:
        assert setting.option in found
