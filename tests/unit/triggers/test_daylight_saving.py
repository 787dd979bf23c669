"""Both transitions of some zones by name, reading by reading."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from crony import errors
from crony.model.trigger import DstRule
from tests.unit.triggers.reference import occurrences_of


class Case(NamedTuple):
    """What an expression does on the local days from one to another."""

    name: str
    zone: str
    expression: str
    start: str
    end: str
    expected: list[str]
    dst: str | DstRule = "cron"


NEW_YORK = "America/New_York"
BERLIN = "Europe/Berlin"
LORD_HOWE = "Australia/Lord_Howe"
SAO_PAULO = "America/Sao_Paulo"
HAVANA = "America/Havana"
CASABLANCA = "Africa/Casablanca"

CASES = [
    Case(
        "New York, spring: a fixed time in the gap shifts to its end",
        NEW_YORK,
        "30 2 * * *",
        "2026-03-07T12:00",
        "2026-03-09T12:00",
        ["03-08T03:00:00-04:00 shifted", "03-09T02:30:00-04:00"],
    ),
    Case(
        "New York, spring: several fixed times in the gap collapse into one",
        NEW_YORK,
        "0,20,40 2 * * *",
        "2026-03-08T00:00",
        "2026-03-08T12:00",
        ["03-08T03:00:00-04:00 shifted"],
    ),
    Case(
        "New York, spring: what is due at the gap's end anyway is not shifted",
        NEW_YORK,
        "0 2,3 * * *",
        "2026-03-08T00:00",
        "2026-03-08T12:00",
        ["03-08T03:00:00-04:00"],
    ),
    Case(
        "New York, spring: an hourly schedule loses nothing and doubles nothing",
        NEW_YORK,
        "0 * * * *",
        "2026-03-08T00:30",
        "2026-03-08T04:30",
        ["03-08T01:00:00-05:00", "03-08T03:00:00-04:00", "03-08T04:00:00-04:00"],
    ),
    Case(
        "New York, spring: a star minute follows the clock and skips the gap",
        NEW_YORK,
        "*/30 2 * * *",
        "2026-03-08T00:00",
        "2026-03-08T12:00",
        [],
    ),
    Case(
        "New York, spring: seconds in the gap collapse as well",
        NEW_YORK,
        "* 30 2 * * *",
        "2026-03-08T00:00",
        "2026-03-08T12:00",
        ["03-08T03:00:00-04:00 shifted"],
    ),
    Case(
        "New York, autumn: a fixed time in the fold fires once",
        NEW_YORK,
        "30 1 * * *",
        "2026-10-31T12:00",
        "2026-11-02T12:00",
        ["11-01T01:30:00-04:00", "11-02T01:30:00-05:00"],
    ),
    Case(
        "New York, autumn: every half hour goes through both passes",
        NEW_YORK,
        "*/30 * * * *",
        "2026-11-01T00:45",
        "2026-11-01T02:15",
        [
            "11-01T01:00:00-04:00",
            "11-01T01:30:00-04:00",
            "11-01T01:00:00-05:00 repeated",
            "11-01T01:30:00-05:00 repeated",
            "11-01T02:00:00-05:00",
        ],
    ),
    Case(
        "New York, autumn: the second pass on request",
        NEW_YORK,
        "30 1 * * *",
        "2026-11-01T00:00",
        "2026-11-01T12:00",
        ["11-01T01:30:00-05:00 repeated"],
        DstRule("shift", "second"),
    ),
    Case(
        "New York, autumn: both passes on request",
        NEW_YORK,
        "30 1 * * *",
        "2026-11-01T00:00",
        "2026-11-01T12:00",
        ["11-01T01:30:00-04:00", "11-01T01:30:00-05:00 repeated"],
        DstRule("shift", "both"),
    ),
    Case(
        "New York, spring: the gap left out on request",
        NEW_YORK,
        "30 2 * * *",
        "2026-03-07T12:00",
        "2026-03-09T12:00",
        ["03-09T02:30:00-04:00"],
        DstRule("skip", "first"),
    ),
    Case(
        "Berlin, spring: the gap shifts to three",
        BERLIN,
        "15 2 * * *",
        "2026-03-28T12:00",
        "2026-03-30T12:00",
        ["03-29T03:00:00+02:00 shifted", "03-30T02:15:00+02:00"],
    ),
    Case(
        "Berlin, autumn: two in the morning comes once",
        BERLIN,
        "0 2 * * *",
        "2026-10-24T12:00",
        "2026-10-26T12:00",
        ["10-25T02:00:00+02:00", "10-26T02:00:00+01:00"],
    ),
    Case(
        "Berlin, autumn: the end of the fold is not part of it",
        BERLIN,
        "0 3 * * *",
        "2026-10-25T00:00",
        "2026-10-25T12:00",
        ["10-25T03:00:00+01:00"],
    ),
    Case(
        "Lord Howe, spring: a gap of half an hour",
        LORD_HOWE,
        "15,45 2 * * *",
        "2026-10-04T00:00",
        "2026-10-04T12:00",
        ["10-04T02:30:00+11:00 shifted", "10-04T02:45:00+11:00"],
    ),
    Case(
        "Lord Howe, autumn: a fold of half an hour",
        LORD_HOWE,
        "15,45 1 * * *",
        "2027-04-04T00:00",
        "2027-04-04T12:00",
        ["04-04T01:15:00+11:00", "04-04T01:45:00+11:00"],
    ),
    Case(
        "Lord Howe, autumn: every quarter goes through the half hour again",
        LORD_HOWE,
        "*/15 1 * * *",
        "2027-04-04T00:00",
        "2027-04-04T12:00",
        [
            "04-04T01:00:00+11:00",
            "04-04T01:15:00+11:00",
            "04-04T01:30:00+11:00",
            "04-04T01:45:00+11:00",
            "04-04T01:30:00+10:30 repeated",
            "04-04T01:45:00+10:30 repeated",
        ],
    ),
    Case(
        "Sao Paulo, spring of 2018: the gap at midnight",
        SAO_PAULO,
        "0 0 * * *",
        "2018-11-03T12:00",
        "2018-11-05T12:00",
        ["11-04T01:00:00-02:00 shifted", "11-05T00:00:00-02:00"],
    ),
    Case(
        "Sao Paulo, autumn of 2018: the fold ends the day before",
        SAO_PAULO,
        "30 23 * * *",
        "2018-02-17T12:00",
        "2018-02-18T12:00",
        ["02-17T23:30:00-02:00"],
    ),
    Case(
        "Sao Paulo, autumn of 2018: midnight itself is not repeated",
        SAO_PAULO,
        "0 */1 * * *",
        "2018-02-17T22:30",
        "2018-02-18T00:30",
        [
            "02-17T23:00:00-02:00",
            "02-17T23:00:00-03:00 repeated",
            "02-18T00:00:00-03:00",
        ],
    ),
    Case(
        "Havana, spring: the gap at midnight belongs to its own day",
        HAVANA,
        "30 0 8 3 *",
        "2026-03-07T12:00",
        "2026-03-09T12:00",
        ["03-08T01:00:00-04:00 shifted"],
    ),
    Case(
        "Havana, spring: hours follow the clock",
        HAVANA,
        "0 * * * *",
        "2026-03-07T22:30",
        "2026-03-08T02:30",
        ["03-07T23:00:00-05:00", "03-08T01:00:00-04:00", "03-08T02:00:00-04:00"],
    ),
    Case(
        "Havana, autumn: midnight comes once",
        HAVANA,
        "0 0 * * *",
        "2026-10-31T12:00",
        "2026-11-02T12:00",
        ["11-01T00:00:00-04:00", "11-02T00:00:00-05:00"],
    ),
    Case(
        "Casablanca, 2019: back for Ramadan, a fixed time fires once",
        CASABLANCA,
        "30 2 * * *",
        "2019-05-05T00:00",
        "2019-05-05T12:00",
        ["05-05T02:30:00+01:00"],
    ),
    Case(
        "Casablanca, 2019: forward after Ramadan, the gap shifts",
        CASABLANCA,
        "30 2 * * *",
        "2019-06-09T00:00",
        "2019-06-09T12:00",
        ["06-09T03:00:00+01:00 shifted"],
    ),
    Case(
        "Tokyo: nothing ever changes",
        "Asia/Tokyo",
        "30 2 * * *",
        "2026-03-28T12:00",
        "2026-03-30T12:00",
        ["03-29T02:30:00+09:00", "03-30T02:30:00+09:00"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_transitions_by_name(case: Case) -> None:
    zone = ZoneInfo(case.zone)
    start = datetime.fromisoformat(case.start).replace(tzinfo=zone)
    end = datetime.fromisoformat(case.end).replace(tzinfo=zone)
    occurrences = occurrences_of(case.expression, case.zone, case.dst)
    shown = [
        f"{item.local} {item.note or ''}".strip()
        for item in occurrences.upcoming(start, 10)
        if item.at <= end
    ]
    year = case.start[:5]
    assert shown == [year + expected for expected in case.expected]
    assert occurrences.count(start, end) == len(case.expected)


def test_minutes_after_a_change_of_half_an_hour_are_all_there() -> None:
    # Three in the afternoon is long after the change; nothing of it may be lost.
    zone = ZoneInfo(LORD_HOWE)
    start = datetime(2027, 4, 4, 12, tzinfo=zone)
    end = datetime(2027, 4, 4, 20, tzinfo=zone)
    found = occurrences_of("* 15 * * *", LORD_HOWE).between(start, end, limit=100)
    shown = [instant.astimezone(zone).strftime("%H:%M") for instant in found]
    assert shown == [f"15:{minute:02}" for minute in range(60)]


def test_every_quarter_is_evenly_spaced_through_a_year() -> None:
    occurrences = occurrences_of("*/15 * * * *", NEW_YORK)
    start = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))
    found = occurrences.between(start, start.replace(year=2027), limit=40_000)
    assert len(found) == 365 * 24 * 4
    steps = {later - earlier for earlier, later in pairwise(found)}
    assert [step.total_seconds() for step in steps] == [900]


def test_an_expression_that_the_zone_always_skips_never_fires() -> None:
    # The second Sunday of March is when New York goes forward, each year.
    rule = DstRule("skip", "both")
    occurrences = occurrences_of("30 2 * 3 0#2", BERLIN, rule)
    assert occurrences.first(datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))) is not None
    with pytest.raises(errors.InvalidTrigger, match="New_York skips every reading"):
        occurrences_of("30 2 * 3 0#2", NEW_YORK, rule)
