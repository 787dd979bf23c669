"""What a schedule sets, what holds, and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crony.model import policy
from crony.model.policy import (
    PolicySettings,
    Retries,
    RetriesSettings,
    SandboxSettings,
)
from crony.model.state import TERMINAL, TRANSITIONS, AttemptState, Reason, RunState

NOW = datetime(2026, 11, 20, 22, tzinfo=UTC)


def test_stronger_level_wins_and_what_nobody_sets_is_built_in() -> None:
    tenant = PolicySettings(max_lost=2, priority=7)
    schedule = PolicySettings(priority=-3)
    held, source = policy.resolve(("tenant", tenant), ("schedule", schedule))
    assert (held.priority, source["priority"]) == (-3, "schedule")
    assert (held.max_lost, source["max_lost"]) == (2, "tenant")
    assert held.max_runtime == timedelta(hours=1)
    assert source["max_runtime"] == "built-in"


def test_members_of_retries_and_sandbox_are_inherited_one_by_one() -> None:
    tenant = PolicySettings(
        retries=RetriesSettings(max=2, factor=3),
        sandbox=SandboxSettings(memory=1 << 30),
    )
    schedule = PolicySettings(
        retries=RetriesSettings(max=5), sandbox=SandboxSettings(network="host")
    )
    held, source = policy.resolve(("tenant", tenant), ("schedule", schedule))
    assert (held.retries.max, held.retries.factor) == (5, 3)
    assert held.retries.backoff == timedelta(seconds=10)
    assert (held.sandbox.memory, held.sandbox.network) == (1 << 30, "host")
    assert source["retries"] == source["sandbox"] == "schedule"


def test_backoff_grows_by_its_factor_up_to_its_bound() -> None:
    retries = Retries(max=9, max_backoff=timedelta(minutes=1), randomize=False)
    waits = [policy.backoff(retries, failures=n, fraction=0.3) for n in range(1, 6)]
    assert [wait.total_seconds() for wait in waits] == [10, 20, 40, 60, 60]


@given(
    st.integers(1, 10_000),
    st.floats(0, 1),
    st.floats(1, 1e6),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)),
)
def test_backoff_is_never_above_its_bound_nor_below_half(
    failures: int, fraction: float, factor: float, first: timedelta
) -> None:
    retries = Retries(backoff=first, factor=factor)
    wait = policy.backoff(retries, failures=failures, fraction=fraction)
    assert timedelta(0) <= wait <= retries.max_backoff
    full = policy.backoff(retries, failures=failures, fraction=1)
    assert wait >= full / 2 - timedelta(microseconds=1)


@pytest.mark.parametrize("attempt", [AttemptState.FAILED, AttemptState.TIMED_OUT])
def test_failed_attempt_with_a_retry_left_goes_back_to_pending(
    attempt: AttemptState,
) -> None:
    later = NOW + timedelta(seconds=10)
    verdict = policy.after_report(
        RunState.RUNNING, attempt, Reason.EXIT, retry_at=later, now=NOW
    )
    assert verdict == policy.Verdict(RunState.PENDING, Reason.EXIT, later)


def test_run_that_is_being_stopped_is_never_tried_again() -> None:
    verdict = policy.after_report(
        RunState.STOPPING, AttemptState.FAILED, Reason.EXIT, retry_at=NOW, now=NOW
    )
    assert verdict == policy.Verdict(RunState.FAILED, Reason.EXIT)


@pytest.mark.parametrize(
    ("lost", "state"),
    [(1, RunState.PENDING), (4, RunState.PENDING), (5, RunState.FAILED)],
)
def test_lost_attempts_end_the_run_only_when_max_lost_is_reached(
    lost: int, state: RunState
) -> None:
    verdict = policy.after_loss(RunState.RUNNING, None, lost=lost, max_lost=5, now=NOW)
    assert (verdict.state, verdict.reason) == (state, Reason.LOST)


def test_lost_attempt_of_a_run_being_stopped_ends_it_as_cancelled() -> None:
    verdict = policy.after_loss(
        RunState.STOPPING, Reason.USER, lost=1, max_lost=5, now=NOW
    )
    assert verdict == policy.Verdict(RunState.CANCELLED, Reason.USER)


def test_a_preempted_run_whose_worker_vanished_goes_on_elsewhere() -> None:
    verdict = policy.after_loss(
        RunState.STOPPING, Reason.PREEMPTED, lost=1, max_lost=5, now=NOW
    )
    assert verdict == policy.Verdict(RunState.PENDING, Reason.LOST, NOW)


@pytest.mark.parametrize("before", [RunState.RUNNING, RunState.STOPPING])
@pytest.mark.parametrize(
    "attempt",
    [
        AttemptState.SUCCEEDED,
        AttemptState.FAILED,
        AttemptState.TIMED_OUT,
        AttemptState.CANCELLED,
        AttemptState.PREEMPTED,
    ],
)
def test_every_verdict_is_a_transition_of_the_table(
    before: RunState, attempt: AttemptState
) -> None:
    for retry_at in (None, NOW):
        verdict = policy.after_report(before, attempt, None, retry_at=retry_at, now=NOW)
        assert verdict.state in TRANSITIONS[before]
        assert (verdict.retry_at is None) == (verdict.state in TERMINAL)


@pytest.mark.parametrize(
    ("log", "head"), [(1 << 20, 64 << 10), (64 << 10, 32 << 10), (1 << 10, 512)]
)
def test_of_little_output_the_end_is_kept_as_well(log: int, head: int) -> None:
    assert policy.Retention(log=log).log_head == head
