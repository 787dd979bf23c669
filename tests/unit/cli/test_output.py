"""What is printed: plain columns in a pipe, nothing that plays with a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crony import wire
from crony.cli import instants, output

NOW = datetime(2026, 11, 20, 22, tzinfo=UTC)


def test_a_pipe_gets_aligned_columns_that_are_never_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.table(("NAME", "STATE"), [("x" * 200, "active"), ("日本", "paused")])
    assert capsys.readouterr().out.splitlines() == [
        "NAME" + " " * 198 + "STATE",
        "x" * 200 + "  active",
        "日本" + " " * 198 + "paused",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("back\rover\x08", "back\\x0dover\\x08"),
        ("\x9b2J", "\\x9b2J"),
    ],
)
def test_what_would_move_the_cursor_is_escaped(text: str, shown: str) -> None:
    assert output.plain(text) == shown


def test_facts_leave_out_what_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    output.facts({"name": "x", "queue": ""})
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["name", "x"]
    ]


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(), "now"),
        (timedelta(milliseconds=-900), "now"),
        (timedelta(seconds=5), "in 5s"),
        (timedelta(minutes=4, seconds=12), "in 4m 12s"),
        (timedelta(hours=2), "in 2h"),
        (timedelta(hours=2, seconds=9), "in 2h"),
        (timedelta(days=3, hours=1, minutes=59), "in 3d 1h"),
        (-timedelta(minutes=1, seconds=1), "1m 1s ago"),
    ],
)
def test_distances_are_told_in_their_two_largest_units(
    ahead: timedelta, words: str
) -> None:
    assert instants.relative(wire.format_instant(NOW + ahead), NOW) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0s", "0ms"),
        ("0.000183s", "0.183ms"),
        ("0.0074s", "7.4ms"),
        ("0.9996s", "1000ms"),
        ("2.041s", "2.04s"),
        ("1h2m3s", "1h 2m"),
        ("-0.5s", "-500ms"),
    ],
)
def test_durations_have_no_more_digits_than_people_read(text: str, shown: str) -> None:
    assert instants.brief(text) == shown
