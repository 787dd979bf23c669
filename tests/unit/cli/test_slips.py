"""What people type at first, and what they are told."""

from __future__ import annotations

import pytest

from crony.cli.commands import crony
from crony.cli.crontab.confined import hints
from crony.cli.crontab.parse import parse
from crony.cli.failures import run
from crony.cli.session import OPTIONS


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert run(crony, "crony", argv) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_before_the_command_is_told_its_place(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, option, "x", "ls")
    assert f"crony ls {option} …" in said


def test_options_that_have_a_place_are_those_of_every_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(crony, "crony", ["ls", "--help"]) == 0
    listed = capsys.readouterr().out
    assert all(option in listed for option in OPTIONS)


def test_an_unknown_option_before_the_command_is_still_unknown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "No such option '--nonsense'" in told(capsys, "--nonsense", "ls")


def test_an_option_of_the_command_without_dashes_before_it_is_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = told(capsys, "add", "x", "--every", "5m", "ls", "-l")
    assert "No such option '-l'" in said
    assert "two dashes" in said


def test_a_slip_in_an_option_of_add_gets_the_nearest_one_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = told(capsys, "add", "x", "--evry", "5m", "date")
    assert "--every" in said
    assert "two dashes" not in said


def test_completion_of_bash_proposes_files_where_crony_knows_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(crony, "crony", ["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert "complete -o nosort -o bashdefault -o default -F" in script


def test_last_part_of_an_address_is_no_program() -> None:
    (entry,) = parse("1 1 1 1 1 wget -q https://x.org/ping\n", system=False).entries
    assert hints(entry) == ['wget: no network without sandbox.network "host"']
