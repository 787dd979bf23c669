"""What the service is told of an attempt's end."""

from datetime import timedelta

import pytest

from crony.model.state import AttemptState, Reason
from crony.worker.outcome import Ending, Outcome, StopCause, judge, not_started
from tests.unit.worker.factories import seconds


def judged(ending: Ending, cause: StopCause | None = None) -> Outcome:
    """Return the outcome of a run with everyday limits."""
    return judge(
        ending,
        cause,
        memory=512 << 20,
        max_runtime=seconds(90),
        lateness=None,
        duration=None,
    )


@pytest.mark.parametrize(
    ("ending", "state", "reason", "error"),
    [
        (Ending(exit_code=0), "succeeded", None, None),
        (Ending(exit_code=2), "failed", "exit", "exit code 2"),
        (Ending(signal="SIGSEGV"), "failed", "signal", "killed by SIGSEGV"),
        (
            Ending(signal="SIGKILL", oom=True),
            "failed",
            "oom",
            "out of its memory of 512M",
        ),
        (Ending(error="status 500"), "failed", "exit", "status 500"),
    ],
)
def test_a_task_that_ends_by_itself_is_judged_by_how(
    ending: Ending, state: str, reason: str | None, error: str | None
) -> None:
    outcome = judged(ending)
    assert (outcome.state, outcome.reason, outcome.error) == (state, reason, error)


@pytest.mark.parametrize(
    ("cause", "state", "reason"),
    [
        (StopCause.CANCELLED, AttemptState.CANCELLED, Reason.USER),
        (StopCause.REPLACED, AttemptState.CANCELLED, Reason.REPLACED),
        (StopCause.DELETED, AttemptState.CANCELLED, Reason.DELETED),
        (StopCause.PREEMPTED, AttemptState.PREEMPTED, Reason.PREEMPTED),
        (StopCause.MAX_RUNTIME, AttemptState.TIMED_OUT, Reason.MAX_RUNTIME),
        (StopCause.DEADLINE, AttemptState.TIMED_OUT, Reason.DEADLINE),
    ],
)
def test_a_task_that_was_stopped_is_judged_by_why(
    cause: StopCause, state: AttemptState, reason: Reason
) -> None:
    outcome = judged(Ending(exit_code=0), cause)
    assert (outcome.state, outcome.reason) == (state, reason)


def test_every_cause_is_either_reported_or_left_to_the_service() -> None:
    for cause in StopCause:
        if cause.silent:
            with pytest.raises(KeyError):
                judged(Ending(), cause)
        else:
            assert judged(Ending(), cause).state is not AttemptState.SUCCEEDED


def test_an_error_is_cut_to_four_kibibytes_of_whole_characters() -> None:
    outcome = not_started("é" * 5000)
    assert outcome.error is not None
    assert len(outcome.error.encode()) <= 4096
    assert set(outcome.error) == {"é"}


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (seconds(3), "stopped at its deadline"),
        (None, "not started by its deadline"),
    ],
)
def test_a_deadline_says_whether_the_task_had_started(
    duration: timedelta | None, text: str
) -> None:
    outcome = judge(
        Ending(),
        StopCause.DEADLINE,
        memory=512 << 20,
        max_runtime=seconds(90),
        lateness=None,
        duration=duration,
    )
    assert outcome.error == text
