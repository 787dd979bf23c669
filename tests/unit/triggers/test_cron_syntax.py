"""What expressions mean, on plain days without any change of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from crony import errors
from crony.model.trigger import Cron
from crony.triggers import compile_trigger
from tests.unit.triggers.reference import ANCHOR, occurrences_of

YEAR_START = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=1)


def times_of_a_day(expression: str) -> str:
    """Return the times of Thursday, 1 January 2026, as ``H:MM:SS``."""
    found = occurrences_of(expression).between(
        YEAR_START, YEAR_START + timedelta(days=1), limit=100
    )
    return " ".join(f"{t.hour}:{t:%M:%S}" for t in found)


def days_of(expression: str, number: int = 6) -> str:
    """Return the first days of 2026 that match, as ``month/day``."""
    found = occurrences_of(expression).upcoming(YEAR_START, number)
    return " ".join(f"{item.at.month}/{item.at.day}" for item in found)


def refusal(expression: str) -> str:
    """Return what is said against an expression."""
    with pytest.raises(errors.InvalidTrigger) as caught:
        occurrences_of(expression)
    assert caught.value.field == "cron"
    return caught.value.detail


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("0 9 * * *", "9:00:00"),
        ("5,10 9,21 * * *", "9:05:00 9:10:00 21:05:00 21:10:00"),
        ("0 9-11 * * *", "9:00:00 10:00:00 11:00:00"),
        ("0 */8 * * *", "0:00:00 8:00:00 16:00:00"),
        ("0 9-17/4 * * *", "9:00:00 13:00:00 17:00:00"),
        ("0 20/2 * * *", "20:00:00 22:00:00"),
        ("0 22-1 * * *", "0:00:00 1:00:00 22:00:00 23:00:00"),
        ("0 22-4/5 * * *", "3:00:00 22:00:00"),
        ("5-5 7-7 * * *", "7:05:00"),
        ("0-0 0-0 * * *", "0:00:00"),
        ("15 30 4 * * *", "4:30:15"),
        ("*/20 0 0 * * *", "0:00:00 0:00:20 0:00:40"),
        ("  0\t9  * * * ", "9:00:00"),
        ("@daily", "0:00:00"),
        ("@Midnight", "0:00:00"),
    ],
)
def test_times_of_a_day(expression: str, times: str) -> None:
    assert times_of_a_day(expression) == times


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 * * 1", "1/5 1/12 1/19 1/26 2/2 2/9"),
        ("0 0 * * MON-wed", "1/5 1/6 1/7 1/12 1/13 1/14"),
        ("0 0 * * fri-mon", "1/2 1/3 1/4 1/5 1/9 1/10"),
        ("0 0 * * 7", "1/4 1/11 1/18 1/25 2/1 2/8"),
        ("0 0 * * 5-7", "1/2 1/3 1/4 1/9 1/10 1/11"),
        ("0 0 * * 0-7", "1/1 1/2 1/3 1/4 1/5 1/6"),
        ("0 0 * * 1-7/2", "1/2 1/4 1/5 1/7 1/9 1/11"),
        ("0 0 ? * 1", "1/5 1/12 1/19 1/26 2/2 2/9"),
        ("0 0 1 feb,apr-jun *", "2/1 4/1 5/1 6/1 2/1 4/1"),
        ("0 0 31 * *", "1/31 3/31 5/31 7/31 8/31 10/31"),
        ("0 0 29 2 *", "2/29 2/29 2/29 2/29 2/29 2/29"),
        # Both day fields are restricted: either is enough.
        ("0 0 13 * 5", "1/2 1/9 1/13 1/16 1/23 1/30"),
        # One of them begins with a star: both are needed.
        ("0 0 */2 * 1", "1/5 1/19 2/9 2/23 3/9 3/23"),
        ("0 0 13 * */5", "2/13 3/13 9/13 11/13 12/13 6/13"),
        ("0 0 1,* * 1", "1/1 1/2 1/3 1/4 1/5 1/6"),
        ("0 0 L * *", "1/31 2/28 3/31 4/30 5/31 6/30"),
        ("0 0 1,L * *", "1/1 1/31 2/1 2/28 3/1 3/31"),
        ("0 0 15W * *", "1/15 2/16 3/16 4/15 5/15 6/15"),
        ("0 0 1W * *", "1/1 2/2 3/2 4/1 5/1 6/1"),
        ("0 0 1W 8 *", "8/3 8/2 8/1 8/1 8/1 8/1"),
        ("0 0 31W * *", "1/30 3/31 5/29 7/31 8/31 10/30"),
        ("0 0 1W,LW * *", "1/1 1/30 2/2 2/27 3/2 3/31"),
        ("0 0 LW * *", "1/30 2/27 3/31 4/30 5/29 6/30"),
        ("0 0 * * 5L", "1/30 2/27 3/27 4/24 5/29 6/26"),
        ("0 0 * * L5", "1/30 2/27 3/27 4/24 5/29 6/26"),
        ("0 0 * * friL", "1/30 2/27 3/27 4/24 5/29 6/26"),
        ("0 0 * * 1#2", "1/12 2/9 3/9 4/13 5/11 6/8"),
        ("0 0 * * mon#1,WED#3", "1/5 1/21 2/2 2/18 3/2 3/18"),
        ("0 0 * * 0#5", "3/29 5/31 8/30 11/29 1/31 5/30"),
        ("0 0 * * 1#1,5L", "1/5 1/30 2/2 2/27 3/2 3/27"),
        ("@weekly", "1/4 1/11 1/18 1/25 2/1 2/8"),
        ("@monthly", "1/1 2/1 3/1 4/1 5/1 6/1"),
        ("@yearly", "1/1 1/1 1/1 1/1 1/1 1/1"),
        ("@annually", "1/1 1/1 1/1 1/1 1/1 1/1"),
    ],
)
def test_days_of_a_year(expression: str, days: str) -> None:
    assert days_of(expression) == days


def test_hourly_fires_once_an_hour() -> None:
    assert times_of_a_day("@hourly").count(" ") == 23


def test_a_date_of_leap_years_skips_the_century_without_one() -> None:
    found = occurrences_of("0 0 29 2 *").first(datetime(2096, 3, 1, tzinfo=UTC))
    assert found == datetime(2104, 2, 29, tzinfo=UTC)


def test_a_rare_date_is_found_decades_ahead() -> None:
    # A star makes both day fields necessary: the 29th of February on a Sunday.
    found = occurrences_of("0 0 29 2 */7").upcoming(YEAR_START, 4)
    assert [item.at.year for item in found] == [2032, 2060, 2088, 2128]
    assert {item.at.isoweekday() for item in found} == {7}


@pytest.mark.parametrize(
    ("expression", "detail"),
    [
        ("61 * * * *", '"61 * * * *": minute 61 is out of 0..59'),
        ("* 24 * * *", '"* 24 * * *": hour 24 is out of 0..23'),
        ("* * 0 * *", '"* * 0 * *": day-of-month 0 is out of 1..31'),
        ("* * * 13 *", '"* * * 13 *": month 13 is out of 1..12'),
        ("* * * * 8", '"* * * * 8": day-of-week 8 is out of 0..7'),
        ("60 * * * * *", '"60 * * * * *": second 60 is out of 0..59'),
        ("* 9-25 * * *", '"* 9-25 * * *": hour 25 is out of 0..23'),
        ("*/0 * * * *", '"*/0 * * * *": step 0 of the minute is out of 1..60'),
        ("*/90 * * * *", '"*/90 * * * *": step 90 of the minute is out of 1..60'),
        ("* * * * 1#6", "the number after # is out of 1..5"),
        ("* * 32W * *", "day-of-month 32 is out of 1..31"),
        ("* * * foo *", 'month "foo" is not a number'),
        ("* * * * monday", "or a name such as MON"),
        ("1,,2 * * * *", 'minute "1,,2" has an empty item in its list'),
        ("- * * * *", 'minute "-" is not a number'),
        ("? * * * *", '"?" stands for a day field only'),
        ("* * * * L", '"5L" is the last Friday'),
        ("H(30-10) * * * *", 'minute "H(30-10)" ends before it begins'),
        ("", "it has 0 fields, not 5"),
        ("* * * *", "it has 4 fields, not 5"),
        ("* * * * * * 2026", "it has 7 fields, not 5"),
        ("@reboot", "there is no boot to wait for"),
        ("@dayly", 'nearest: "@daily"'),
        ("0\u00a00 * * *", "it holds a control character"),
        ("0 0 * * *\n0 1 * * *", "it holds a control character"),
        ("٣ * * * *", "is not a number"),
        ("0 " * 600, "it is longer than 1000 characters"),
        ("0 0 31 2 *", "it never fires: February has no day 31, at most 29"),
        ("0 0 31 4,6 *", "it never fires: April, June have no day 31, at most 30"),
        ("0 0 30W 2 *", "it never fires: February has no day 30, at most 29"),
        ("0 0 30 2 */2", "it never fires"),
    ],
)
def test_refusals_quote_the_value_and_say_what_would_be_right(
    expression: str, detail: str
) -> None:
    said = refusal(expression)
    assert detail in said
    if len(expression) < 100 and expression.isprintable():
        assert said.startswith(f'"{expression}": ')


def test_hashed_values_belong_to_the_identity() -> None:
    def minutes(expression: str, identity: str) -> list[int]:
        occurrences = compile_trigger(
            Cron(expression), identity=identity, anchor=ANCHOR
        )
        found = occurrences.between(
            YEAR_START, YEAR_START + timedelta(hours=1), limit=60
        )
        return [instant.minute for instant in found]

    drawn = {tuple(minutes("H * * * *", f"job-{n}")) for n in range(1000)}
    assert len(drawn) == 60
    for n in range(20):
        identity = f"job-{n}"
        assert minutes("H * * * *", identity) == minutes("H * * * *", identity)
        (early,) = minutes("H(10-19) * * * *", identity)
        assert 10 <= early <= 19
        quarters = minutes("H/15 * * * *", identity)
        assert len(quarters) == 4
        assert {b - a for a, b in pairwise(quarters)} == {15}
        assert minutes("H(0-29)/10 * * * *", identity)[0] < 10


def test_hashed_times_of_day_reach_all_of_the_day() -> None:
    drawn = set()
    for n in range(3000):
        occurrences = compile_trigger(
            Cron("H H * * *"), identity=f"job-{n}", anchor=ANCHOR
        )
        drawn.add(occurrences.first(YEAR_START))
    # 3,000 draws from 1,440 minutes leave an eighth of them out.
    assert len(drawn) > 1150


def test_a_hashed_day_is_in_every_month() -> None:
    for n in range(60):
        occurrences = compile_trigger(
            Cron("0 0 H * *"), identity=f"job-{n}", anchor=ANCHOR
        )
        end = YEAR_START + timedelta(days=365)
        assert occurrences.count(YEAR_START, end) == 12
