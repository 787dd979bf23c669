"""What drivers decide alike about attempts, hooks and what workers say."""

from datetime import datetime, timedelta

import pytest

from crony.model.hook import HookKind
from crony.model.lease import Standing
from crony.model.policy import Policy, Sandbox, Verdict
from crony.model.state import AttemptState, Origin, Reason, RunState
from crony.storage import rules
from crony.testing import factories
from crony.testing.clock import START

LATER = START + timedelta(seconds=10)
_A, _R = AttemptState, RunState


def verdict(
    before: RunState,
    cause: Reason | None,
    reported: AttemptState,
    *,
    deadline_at: datetime | None = None,
    deleted: bool = False,
) -> Verdict:
    """Return what follows a report of a run that would be tried again at LATER."""
    closing = factories.make_closing(
        "run_1", 1, state=reported, reason=None, retry_at=LATER
    )
    return rules.closing_verdict(
        before, cause, closing, deleted=deleted, now=START, deadline_at=deadline_at
    )


@pytest.mark.parametrize("reported", [_A.CANCELLED, _A.PREEMPTED])
def test_a_preempted_run_that_stopped_is_pending_again(reported: AttemptState) -> None:
    after = verdict(_R.STOPPING, Reason.PREEMPTED, reported)
    assert after == Verdict(_R.PENDING, Reason.PREEMPTED, START)
    assert rules.ended_as(_R.STOPPING, Reason.PREEMPTED, reported) is _A.PREEMPTED


@pytest.mark.parametrize("reported", [_A.CANCELLED, _A.PREEMPTED])
def test_a_run_stopped_for_good_is_over_whatever_its_worker_was_told(
    reported: AttemptState,
) -> None:
    after = verdict(_R.STOPPING, Reason.USER, reported)
    assert after == Verdict(_R.CANCELLED, Reason.USER)
    assert rules.ended_as(_R.STOPPING, Reason.USER, reported) is _A.CANCELLED


def test_a_run_that_failed_while_it_was_preempted_has_its_retry() -> None:
    after = verdict(_R.STOPPING, Reason.PREEMPTED, _A.FAILED)
    assert (after.state, after.retry_at) == (_R.PENDING, LATER)
    assert verdict(_R.STOPPING, Reason.USER, _A.FAILED).state is _R.FAILED


def test_a_preempted_run_of_a_deleted_schedule_does_not_go_on() -> None:
    after = verdict(_R.STOPPING, Reason.PREEMPTED, _A.CANCELLED, deleted=True)
    assert after == Verdict(_R.CANCELLED, Reason.DELETED)


@pytest.mark.parametrize(
    ("deadline_at", "state"),
    [
        (None, _R.PENDING),
        (LATER + timedelta(milliseconds=1), _R.PENDING),
        (LATER, _R.TIMED_OUT),
    ],
)
def test_no_retry_is_given_that_could_not_start_in_time(
    deadline_at: datetime | None, state: RunState
) -> None:
    after = verdict(_R.RUNNING, None, _A.TIMED_OUT, deadline_at=deadline_at)
    assert after.state is state


@pytest.mark.parametrize(
    ("was", "reported", "standing"),
    [
        (_A.PREEMPTED, _A.CANCELLED, Standing.REPEATED),
        (_A.CANCELLED, _A.PREEMPTED, Standing.REPEATED),
        (_A.CANCELLED, _A.CANCELLED, Standing.REPEATED),
        (_A.CANCELLED, _A.FAILED, None),
        (_A.LOST, _A.CANCELLED, Standing.STALE),
    ],
)
def test_a_stop_is_repeated_in_the_word_that_it_was_reported_by(
    was: AttemptState, reported: AttemptState, standing: Standing | None
) -> None:
    closing = factories.make_closing("run_1", 1, state=reported)
    assert rules.closed_before(was, closing) is standing


@pytest.mark.parametrize(
    ("attempt", "state", "kind"),
    [
        (_A.SUCCEEDED, _R.SUCCEEDED, HookKind.SUCCESS),
        (_A.FAILED, _R.PENDING, HookKind.ERROR),
        (_A.TIMED_OUT, _R.TIMED_OUT, HookKind.ERROR),
        (_A.LOST, _R.FAILED, HookKind.ERROR),
        (_A.LOST, _R.PENDING, None),
        (_A.LOST, _R.CANCELLED, None),
        (_A.CANCELLED, _R.CANCELLED, None),
        (_A.PREEMPTED, _R.PENDING, None),
    ],
)
def test_what_ends_an_attempt_decides_which_hook_is_owed(
    attempt: AttemptState, state: RunState, kind: HookKind | None
) -> None:
    assert rules.follow_up(frozenset(HookKind), attempt, state) is kind
    assert rules.follow_up(frozenset(), attempt, state) is None


@pytest.mark.parametrize(
    ("passed", "due"),
    [(0, 30), (29.999, 30), (30, 60), (30.5, 60), (95, 120)],
)
def test_a_progress_hook_keeps_its_beat_and_leaves_out_what_was_slept_over(
    passed: float, due: float
) -> None:
    now = START + timedelta(seconds=passed)
    following = rules.next_pulse(START, timedelta(seconds=30), now=now)
    assert following == START + timedelta(seconds=due)


def test_a_beat_of_less_than_a_millisecond_is_still_after_now() -> None:
    beat = timedelta(microseconds=300)
    assert rules.next_pulse(START, beat, now=START) > START


@pytest.mark.parametrize(("slots", "share"), [(1, 1), (2, 1), (3, 1), (8, 4)])
def test_half_of_a_worker_and_at_least_one_slot_catches_up(
    slots: int, share: int
) -> None:
    assert rules.catch_up_share(slots) == share


def test_a_lane_is_of_the_run_and_its_own_policy() -> None:
    schedule = factories.make_schedule(group="reports", requires={"gpu": "yes"})
    policy = Policy(sandbox=Sandbox(level="full"))
    run = factories.make_run(schedule, queue="slow", policy=policy)
    lane = rules.lane_of(run, schedule.definition)
    assert lane == rules.Lane("default", "slow", (("gpu", "yes"),), 3, "reports")


def test_a_hook_waits_in_no_group_s_lane() -> None:
    schedule = factories.make_schedule(group="reports")
    run = factories.make_run(schedule, origin=Origin.HOOK)
    assert rules.lane_of(run, schedule.definition).group == ""


@pytest.mark.parametrize(
    ("kind", "state", "says", "text"),
    [
        (HookKind.ERROR, _A.SUCCEEDED, "disk full", "disk full"),
        (HookKind.ERROR, _A.FAILED, "disk full", "disk full"),
        (HookKind.ERROR, _A.FAILED, None, "exit code 1"),
        (HookKind.ERROR, _A.SUCCEEDED, None, None),
        (HookKind.PROGRESS, _A.SUCCEEDED, "half", None),
        (HookKind.PROGRESS, _A.FAILED, "half", "exit code 1"),
        (HookKind.SUCCESS, _A.LOST, None, "exit code 1"),
    ],
)
def test_what_an_error_hook_says_and_how_any_hook_fails_are_errors(
    kind: HookKind, state: AttemptState, says: str | None, text: str | None
) -> None:
    entry = rules.hook_error(
        "run_1",
        2,
        kind=kind,
        state=state,
        reason=None,
        at=START,
        error="exit code 1",
        says=says,
    )
    assert (entry.text if entry else None) == text
    if entry is not None:
        assert (entry.run, entry.attempt, entry.source) == ("run_1", 2, "hook")


def test_what_is_too_long_is_cut_between_characters_and_says_so() -> None:
    entry = rules.error_entry(
        "run_1",
        1,
        state=_A.FAILED,
        reason=Reason.EXIT,
        at=START,
        error="x" + "é" * rules.ERROR_TEXT,
    )
    assert len(entry.text.encode()) == rules.ERROR_TEXT - 1
    assert entry.truncated


def test_what_other_hooks_say_is_progress_of_what_they_follow() -> None:
    says = '{"percent": 40, "message": "half"}'
    entry = rules.hook_progress("run_1", 2, kind=HookKind.PROGRESS, at=START, says=says)
    assert entry is not None
    assert (entry.run, entry.attempt, entry.source) == ("run_1", 2, "hook")
    assert (entry.percent, entry.message) == (40, "half")
    for kind, said in ((HookKind.ERROR, says), (HookKind.PROGRESS, "")):
        assert rules.hook_progress("run_1", 2, kind=kind, at=START, says=said) is None
