"""One instant, and zones that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crony import errors
from crony.model.trigger import At, Cron, Every
from crony.triggers import compile_trigger

INSTANT = datetime(2071, 5, 6, 7, 8, 9, 250_000, tzinfo=UTC)
LATER = INSTANT + timedelta(milliseconds=1)
EARLIER = INSTANT - timedelta(milliseconds=1)


def test_an_instant_comes_once() -> None:
    occurrences = compile_trigger(At(INSTANT), identity="a", anchor=INSTANT)
    assert occurrences.first(datetime(2026, 1, 1, tzinfo=UTC)) == INSTANT
    assert occurrences.first(INSTANT) is None
    assert occurrences.first(INSTANT, inclusive=True) == INSTANT
    assert occurrences.first(LATER, inclusive=True) is None
    assert occurrences.between(EARLIER, INSTANT, limit=5) == [INSTANT]
    assert occurrences.between(INSTANT, LATER, limit=5) == []
    assert occurrences.between(EARLIER, INSTANT, limit=0) == []
    assert occurrences.count(EARLIER, INSTANT) == 1
    assert occurrences.count(INSTANT, LATER) == 0
    assert occurrences.upcoming(INSTANT, 5) == []


def test_an_instant_of_any_offset_is_shown_in_its_zone() -> None:
    there = INSTANT.astimezone(timezone(timedelta(hours=-7)))
    trigger = At(there, "Asia/Tokyo")
    occurrences = compile_trigger(trigger, identity="a", anchor=INSTANT)
    (item,) = occurrences.upcoming(EARLIER, 5)
    assert item.at == INSTANT
    assert item.at.utcoffset() == timedelta(0)
    assert item.local == "2071-05-06T16:08:09.250+09:00"
    assert item.note is None


@pytest.mark.parametrize("year", [1, 1969, 2038, 2500, 9999])
def test_an_instant_may_be_in_any_year(year: int) -> None:
    instant = datetime(year, 6, 1, tzinfo=UTC)
    occurrences = compile_trigger(At(instant), identity="a", anchor=INSTANT)
    assert occurrences.first(instant, inclusive=True) == instant


@pytest.mark.parametrize(
    ("instant", "detail"),
    [
        (INSTANT.replace(tzinfo=None), "has no offset"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-9))), "years 1 to 9999"),
    ],
)
def test_an_instant_without_meaning_is_refused(instant: datetime, detail: str) -> None:
    with pytest.raises(errors.InvalidTrigger, match=detail) as caught:
        compile_trigger(At(instant), identity="a", anchor=INSTANT)
    assert caught.value.field == "at"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Europe/Berlni", "Europe/Berlin"),
        ("US/Pacfic", "US/Pacific"),
    ],
)
def test_an_unknown_zone_is_answered_with_the_nearest_names(
    name: str, hint: str
) -> None:
    with pytest.raises(errors.InvalidTrigger) as caught:
        compile_trigger(Cron("0 0 * * *", name), identity="a", anchor=INSTANT)
    assert caught.value.field == "timezone"
    assert f"nearest: {hint}" in caught.value.detail
    assert f'"{name}"' in caught.value.detail


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars",
        "localtime",
        "../etc/passwd",
        "/etc/passwd",
        "Europe",
        "a\0b",
        "x" * 300,
    ],
)
@pytest.mark.parametrize("kind", [Cron, Every, At])
def test_what_is_no_zone_is_refused_in_every_trigger(
    kind: type[Cron | Every | At], name: str
) -> None:
    trigger = {
        Cron: Cron("0 0 * * *", name),
        Every: Every("day", name),
        At: At(INSTANT, name),
    }[kind]
    with pytest.raises(errors.InvalidTrigger) as caught:
        compile_trigger(trigger, identity="a", anchor=INSTANT)
    assert caught.value.field == "timezone"


@pytest.mark.parametrize(
    ("dst", "detail"),
    [("debian", '"debian" is not "cron"')],
)
def test_a_rule_without_meaning_is_refused(dst: str, detail: str) -> None:
    trigger = Cron("0 0 * * *", dst=dst)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(errors.InvalidTrigger) as caught:
        compile_trigger(trigger, identity="a", anchor=INSTANT)
    assert (caught.value.field, detail in caught.value.detail) == ("dst", True)
