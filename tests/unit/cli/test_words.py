"""Words and instants as they are typed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import ShellComplete

from crony import wire
from crony.cli.commands import crony
from crony.cli.instants import INSTANT
from crony.cli.words import Words


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as here:
        here.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-20", "2026-11-19T23:00:00.000Z"),
        ("2026-07-01T12:30", "2026-07-01T10:30:00.000Z"),
        ("2026-11-20 22:00:05", "2026-11-20T21:00:05.000Z"),
        ("2026-11-20T22:00:00Z", "2026-11-20T22:00:00Z"),
        ("yesterday", "yesterday"),
    ],
)
def test_an_instant_without_a_zone_is_on_this_machines_clock(
    text: str, meant: str
) -> None:
    assert INSTANT.convert(text, None, None) == meant


def test_now_is_an_instant() -> None:
    wire.parse_instant(INSTANT.convert("now", None, None))


def test_a_day_that_is_none_is_wrong_usage() -> None:
    with pytest.raises(click.BadParameter, match="no instant of the calendar"):
        INSTANT.convert("2026-02-30", None, None)


def test_words_come_in_lists() -> None:
    words = Words(["failed", "timed_out", "lost"])
    assert words.convert("failed, lost", None, None) == ["failed", "lost"]
    with pytest.raises(click.BadParameter, match='did you mean "failed"'):
        words.convert("lost,faild", None, None)
    with pytest.raises(click.BadParameter, match="these are: failed, timed_out, lost"):
        words.convert("xyz", None, None)


@pytest.mark.parametrize(
    ("argv", "incomplete", "proposed"),
    [
        (["runs", "--state"], "failed,can", ["failed,cancelled"]),
        (["events", "--type"], "worker.d", ["worker.draining", "worker.deleted"]),
        (["add", "--misfire"], "l", ["latest"]),
        (["groups"], "pa", ["pause"]),
        (["edit"], "--on-ov", ["--on-overlap"]),
    ],
)
def test_a_shell_completes_commands_options_and_their_words(
    argv: list[str], incomplete: str, proposed: list[str]
) -> None:
    shell = ShellComplete(crony, {}, "crony", "_CRONY_COMPLETE")
    found = shell.get_completions(argv, incomplete)
    assert [item.value for item in found] == proposed
