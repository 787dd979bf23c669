"""Leases are counted to the safe side on the worker's own clock."""

import pytest

from crony.worker.lease import Exchange, limit, parse
from tests.unit.worker.factories import ZERO, body, lease, limits, seconds


def test_the_end_counts_from_the_sending_plus_the_time_held() -> None:
    slow = Exchange(sent=seconds(100), held=seconds(12), received=seconds(115))
    assert lease(exchange=slow).expires_at == seconds(100 + 12 + 61)


def test_the_start_counts_from_the_receipt() -> None:
    slow = Exchange(sent=seconds(100), held=seconds(12), received=seconds(115))
    assert lease(exchange=slow).start_at == seconds(115 + 1)


def test_a_run_that_is_late_already_has_its_start_in_the_past() -> None:
    late = lease(
        start_in="-2.500s",
        expires_in="60s",
        exchange=Exchange(ZERO, ZERO, seconds(10)),
    )
    assert late.start_at == seconds(7.5)
    assert late.confirm_by == seconds(15)


def test_the_lease_time_leaves_out_the_wait_for_the_instant() -> None:
    assert lease(start_in="4s", expires_in="64s").lease_ttl == seconds(60)


@pytest.mark.parametrize("missing", ["run", "token", "task", "limits", "sandbox"])
def test_an_answer_without_a_member_is_named_as_wrong(missing: str) -> None:
    broken = body()
    del broken[missing]
    with pytest.raises(ValueError, match=missing):
        parse(broken, Exchange(ZERO, ZERO, ZERO))


def test_the_watchdog_kills_two_seconds_before_the_end() -> None:
    found = limit(seconds(60), grace=seconds(10), lease_ttl=seconds(60))
    assert found.kill_at == seconds(58)
    assert found.stop_at == seconds(48)


def test_a_long_grace_is_shortened_so_that_late_renewals_stop_nothing() -> None:
    found = limit(seconds(60), grace=seconds(3600), lease_ttl=seconds(60))
    # Two of the renewals, which come every 15 s, may fail.
    assert found.stop_at > seconds(30)
    assert found.stop_at < found.kill_at


def test_a_short_lease_still_ends_before_it_is_over() -> None:
    found = limit(seconds(3), grace=seconds(10), lease_ttl=seconds(3))
    assert ZERO < found.stop_at < found.kill_at < seconds(3)


def test_a_deadline_counts_from_the_receipt_and_may_be_absent() -> None:
    exchange = Exchange(seconds(1), seconds(10), seconds(12))
    late = lease(
        exchange=exchange,
        limits=limits(deadline_in="30s"),
        deadline_at="2026-11-20T01:30:30.000Z",
    )
    assert late.deadline == seconds(42)
    assert late.deadline_at == "2026-11-20T01:30:30.000Z"
    free = lease(exchange=exchange)
    assert (free.deadline, free.deadline_at) == (None, None)
