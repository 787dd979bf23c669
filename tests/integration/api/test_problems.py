"""The table of problems covers every error there is."""

from __future__ import annotations

import inspect
from datetime import timedelta

import pytest

from crony import errors
from crony.api import problems

ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.CronyError)
]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_a_problem_or_never_meets_a_request(
    kind: type[errors.CronyError],
) -> None:
    assert (kind in problems.TABLE) != (kind in problems.ELSEWHERE)


def test_a_type_of_problem_has_one_status_and_one_title() -> None:
    kinds = set(problems.TABLE.values())
    assert len({kind.name for kind in kinds}) == len(kinds)


def test_a_foreign_error_keeps_its_text_to_itself() -> None:
    problem = problems.of(RuntimeError("password=hunter2"))
    assert problem.kind.status == 500
    assert b"hunter2" not in problem.encoded(instance="01J")


def test_waits_are_told_in_whole_seconds() -> None:
    exc = errors.RateExceeded("slow down", retry_after=timedelta(milliseconds=1200))
    assert problems.of(exc).headers == {"Retry-After": "2"}
    assert problems.of(errors.KeyInProgress("wait")).headers == {"Retry-After": "1"}
    unusable = problems.of(errors.StoreUnusable("a newer schema"))
    assert (unusable.kind.status, unusable.headers) == (503, {"Retry-After": "1"})
