"""Instants, durations and sizes as texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crony import wire


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("1d", 86_400),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("1m500ms", 60.5),
        ("PT15M", 900),
        ("P1DT2H3M4.5S", 93_784.5),
        ("P2W", 1_209_600),
        ("0s", 0),
    ],
)
def test_duration_is_read_in_the_short_form_and_in_iso_8601(
    text: str, seconds: float
) -> None:
    assert wire.parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "90",
        "-5s",
        "5 s",
        "1y",
        "P1Y",
        "P1M",
        "PT",
        "P",
        "P1DT",
        "s",
        "1.s",
        "\u0661s",
        "9" * 400 + "d",
        "P9999999999999W",
    ],
)
def test_text_that_is_no_duration_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|longer than") as caught:
        wire.parse_duration(text)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=5400), "1h30m"),
        (timedelta(seconds=1.25), "1.250s"),
        (timedelta(microseconds=1200), "0.0012s"),
        (timedelta(days=90), "90d"),
        (timedelta(0), "0s"),
        (timedelta(seconds=-2), "-2s"),
    ],
)
def test_duration_is_written_in_the_short_form(duration: timedelta, text: str) -> None:
    assert wire.format_duration(duration) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=wire.LONGEST))
def test_every_duration_reads_back_as_it_was_written(duration: timedelta) -> None:
    assert wire.parse_duration(wire.format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("2026-11-20T22:00:00Z", "2026-11-20T22:00:00.000Z"),
        ("2026-11-20T23:00:00.5+01:00", "2026-11-20T22:00:00.500Z"),
        ("2026-11-20t22:00:00.120000z", "2026-11-20T22:00:00.120Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_instant_is_read_in_any_offset_and_written_in_utc(text: str, out: str) -> None:
    assert wire.format_instant(wire.parse_instant(text)) == out


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "2026-11-20",
        "2026-11-20T22:00:00",
        "2026-11-20T22:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-20T22:00:00.0001Z",
        "2026-11-20T24:00:01Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-11-20T22:00:00+99:00",
        "\u0662026-11-20T22:00:00Z",
    ],
)
def test_text_that_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"instant|millisecond"):
        wire.parse_instant(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_instant_reads_back_cut_to_the_millisecond(instant: datetime) -> None:
    read = wire.parse_instant(wire.format_instant(instant))
    assert timedelta(0) <= instant - read < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512M", 512 << 20), ("1MiB", 1 << 20), ("4096", 4096), ("1.5K", 1536)],
)
def test_size_is_read_with_binary_units(text: str, size: int) -> None:
    assert wire.parse_size(text) == size


@given(st.integers(min_value=0, max_value=1 << 50))
def test_every_size_reads_back_as_it_was_written(size: int) -> None:
    assert wire.parse_size(wire.format_size(size)) == size


@pytest.mark.parametrize("text", ["", "M", "-1M", "1P", "1 M", "1m", "9" * 30])
def test_text_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        wire.parse_size(text)
