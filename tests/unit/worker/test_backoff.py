"""Waits after failed requests."""

from datetime import timedelta

import pytest

from crony import errors
from crony.worker.backoff import Backoff, passing

_DOWN = errors.ServiceUnreachable("down")


def test_waits_double_up_to_one_second_and_begin_anew_after_success() -> None:
    backoff = Backoff(fraction=lambda: 1.0)
    waits = [backoff.after(_DOWN) / timedelta(seconds=1) for _ in range(7)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    backoff.reset()
    assert backoff.after(_DOWN) == timedelta(seconds=0.1)


def test_waits_are_spread_over_their_upper_half() -> None:
    assert Backoff(fraction=lambda: 0.0).after(_DOWN) == timedelta(seconds=0.05)


def test_what_the_service_asks_for_is_respected_within_reason() -> None:
    backoff = Backoff(fraction=lambda: 0.0)
    asked = errors.Refused(503, {}, retry_after=timedelta(seconds=7))
    assert backoff.after(asked) == timedelta(seconds=7)
    absurd = errors.Refused(503, {}, retry_after=timedelta(days=1))
    assert backoff.after(absurd) == timedelta(seconds=60)


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert passing(errors.Refused(status, {}))


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_what_will_not_pass_is_not(status: int) -> None:
    assert not passing(errors.Refused(status, {}))


def test_no_answer_may_pass() -> None:
    assert passing(_DOWN)
