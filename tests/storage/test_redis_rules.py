"""Redis: what its scripts decide is what ``rules`` decides, case by case."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from crony.model import policy
from crony.model.hook import HookKind
from crony.model.state import EXECUTING, HELD, AttemptState, Reason, RunState
from crony.storage import rules
from crony.storage.codec import instant_in, instant_out, maybe_instant_in
from crony.storage.redis import layout
from crony.storage.redis.lua import made
from crony.storage.redis.values import packed, unpacked
from crony.testing import factories
from crony.testing.clock import START
from tests.storage.stands import Stand

#: What a rule is given, and what it answers: at most three values.
Case = tuple[Any, ...]
Answer = list[Any]
Ask = Callable[[str, Iterable[Case]], list[Answer]]

_SCRIPT = """\
-- Answer what a rule says of cases.
-- parts: rules
-- reads
local answers = {}
for n, case in ipairs(args.cases) do
  local one, two, three = rules[args.rule](unpack(case, 1, args.size))
  answers[n] = {one = one, two = two, three = three}
end
return pack(answers)
"""

STATES = list(RunState)
REASONS = [None, *Reason]
NOW = instant_out(START)


@pytest.fixture(scope="module")
def ask(stands: Callable[[str], Stand]) -> Iterator[Ask]:
    """Ask a rule of the scripts about cases."""
    script = made("rules_of_a_test", _SCRIPT)
    with Redis.from_url(stands("redis").fresh()) as client:
        digest = client.script_load(script.source)

        def asked(rule: str, cases: Iterable[Case]) -> list[Answer]:
            listed = [list(case) for case in cases]
            arguments = {"rule": rule, "cases": listed, "size": len(listed[0])}
            prefix = layout.prefix("default")
            found = unpacked(client.evalsha(digest, 1, prefix, packed(arguments)))
            # Lua has one table for an empty list and for an empty mapping.
            return [
                [dict(each).get(name) for name in ("one", "two", "three")]
                for each in found
            ]

        yield asked


def same(
    ask: Ask, rule: str, cases: Sequence[Case], expected: Callable[..., object]
) -> None:
    """Compare a rule that answers one value, on all cases."""
    found = ask(rule, cases)
    assert len(found) == len(cases) > 0
    for case, (answer, *_) in zip(cases, found, strict=True):
        assert answer == expected(*case), (rule, case)


def as_set(states: Collection[RunState]) -> dict[str, bool]:
    """Return states as Lua knows a set of them."""
    return {state.value: True for state in states}


def word(value: RunState | AttemptState | Reason | None) -> str | None:
    """Return what a state or a reason is to Lua."""
    return None if value is None else value.value


def test_what_a_write_under_a_token_meets(ask: Ask) -> None:
    counts: list[Collection[RunState]] = [EXECUTING, HELD, {RunState.LEASED}]
    cases = list(itertools.product((1, 2), STATES, counts))
    found = ask("standing", [(t, 2, word(s), as_set(c)) for t, s, c in cases])
    for (token, state, counting), (answer, *_) in zip(cases, found, strict=True):
        expected = rules.standing(token, current=2, state=state, counts=counting)
        assert answer == expected.value, (token, state, counting)


def test_the_states_in_which_a_closing_counts(ask: Ask) -> None:
    found = ask("report_counts", [(state.value,) for state in AttemptState])
    for state, (answer, *_) in zip(AttemptState, found, strict=True):
        closing = factories.make_closing("run", 1, state=state)
        assert answer == as_set(rules.report_counts(closing))


def test_closings_of_attempts_that_have_ended(ask: Ask) -> None:
    def expected(was: str, reported: str) -> str | None:
        closing = factories.make_closing("run", 1, state=AttemptState(reported))
        standing = rules.closed_before(AttemptState(was), closing)
        return None if standing is None else standing.value

    pairs = [(a.value, b.value) for a in AttemptState for b in AttemptState]
    same(ask, "closed_before", pairs, expected)


def test_what_an_attempt_counts_as(ask: Ask) -> None:
    def expected(before: str, cause: str | None, reported: str) -> str:
        reason = None if cause is None else Reason(cause)
        return rules.ended_as(RunState(before), reason, AttemptState(reported)).value

    cases = [
        (word(state), word(reason), attempt.value)
        for state in STATES
        for reason in REASONS
        for attempt in AttemptState
    ]
    same(ask, "ended_as", cases, expected)


def test_why_a_lease_must_be_given_up(ask: Ask) -> None:
    def expected(state: str, reason: str | None, newest: object) -> str:
        why = None if reason is None else Reason(reason)
        return rules.cause(RunState(state), why, newest=bool(newest))

    cases = [
        (word(state), word(reason), newest)
        for state in STATES
        for reason in REASONS
        for newest in (True, False)
    ]
    same(ask, "cause", cases, expected)


def told(verdict: policy.Verdict) -> Answer:
    """Return a verdict as Lua answers it."""
    retry_at = None if verdict.retry_at is None else instant_out(verdict.retry_at)
    return [verdict.state.value, word(verdict.reason), retry_at]


def test_what_follows_a_report(ask: Ask) -> None:
    instants = (None, NOW - 1, NOW, NOW + 1)
    cases = list(
        itertools.product(
            (RunState.LEASED, RunState.RUNNING, RunState.STOPPING),
            (None, Reason.PREEMPTED, Reason.USER, Reason.DELETED, Reason.REPLACED),
            # What workers report.
            (
                AttemptState.SUCCEEDED,
                AttemptState.FAILED,
                AttemptState.TIMED_OUT,
                AttemptState.CANCELLED,
                AttemptState.PREEMPTED,
            ),
            (None, Reason.EXIT, Reason.DEADLINE),
            instants[::2],
            (False, True),
            instants,
        )
    )
    found = ask(
        "closing_verdict",
        [
            (
                word(before),
                word(cause),
                {"state": word(state), "reason": word(reason), "retry_at": retry},
                deleted,
                NOW,
                deadline,
            )
            for before, cause, state, reason, retry, deleted, deadline in cases
        ],
    )
    for case, answer in zip(cases, found, strict=True):
        before, cause, state, reason, retry, deleted, deadline = case
        closing = factories.make_closing(
            "run", 1, state=state, reason=reason, retry_at=maybe_instant_in(retry)
        )
        verdict = rules.closing_verdict(
            before,
            cause,
            closing,
            deleted=deleted,
            now=START,
            deadline_at=maybe_instant_in(deadline),
        )
        assert answer == told(verdict), case


def test_what_follows_a_loss(ask: Ask) -> None:
    cases = list(
        itertools.product(
            (RunState.RUNNING, RunState.STOPPING),
            REASONS,
            (1, 2, 3),
            (1, 2),
            (False, True),
        )
    )
    found = ask(
        "loss_verdict",
        [(word(b), word(c), lost, most, d, NOW) for b, c, lost, most, d in cases],
    )
    for case, answer in zip(cases, found, strict=True):
        before, cause, lost, most, deleted = case
        verdict = rules.loss_verdict(
            before, cause, lost=lost, max_lost=most, deleted=deleted, now=START
        )
        assert answer == told(verdict), case


def test_which_hook_is_owed(ask: Ask) -> None:
    kinds = [
        [kind.value for kind in some]
        for number in range(4)
        for some in itertools.combinations(HookKind, number)
    ]

    def expected(hooks: list[str], attempt: str, state: str) -> str | None:
        kind = rules.follow_up(
            {HookKind(each) for each in hooks}, AttemptState(attempt), RunState(state)
        )
        return None if kind is None else kind.value

    cases = list(itertools.product(kinds, map(word, AttemptState), map(word, STATES)))
    same(ask, "follow_up", cases, expected)


@settings(deadline=None, max_examples=300)
@given(
    interval=st.one_of(
        st.integers(1, 10_000), st.integers(1, 10**12), st.sampled_from([1000, 30**6])
    ),
    beats=st.integers(0, 10**6),
    off=st.integers(-3, 3),
)
def test_when_a_progress_hook_is_due_next(
    ask: Ask, interval: int, beats: int, off: int
) -> None:
    # Right at a beat, and right beside it.
    now = NOW + max(0, min(beats * interval // 1000 + off, 10**12))
    ((answer, *_),) = ask("next_pulse", [(NOW, interval, now)])
    due = rules.next_pulse(START, timedelta(microseconds=interval), now=instant_in(now))
    assert answer == instant_out(due)


def test_by_which_instant_a_run_has_its_turn(ask: Ask) -> None:
    schedule = factories.make_schedule()
    runs = [
        factories.make_run(
            schedule,
            catch_up=catch_up,
            due_at=START,
            created_at=START - timedelta(seconds=5),
            deadline_at=None if bound is None else START + timedelta(seconds=bound),
        )
        for catch_up in (True, False)
        for bound in (None, 0, 3599, 3600, 3601, 10**6)
    ]
    found = ask(
        "turn",
        [
            (
                {
                    "catch_up": run.catch_up,
                    "due_at": instant_out(run.due_at),
                    "created_at": instant_out(run.created_at),
                    "deadline_at": run.deadline_at and instant_out(run.deadline_at),
                },
            )
            for run in runs
        ],
    )
    for run, (answer, *_) in zip(runs, found, strict=True):
        assert answer == instant_out(rules.turn(run))


def test_what_a_worker_may_execute(ask: Ask) -> None:
    slots = [(number,) for number in range(1, 20)]
    same(ask, "catch_up_share", slots, rules.catch_up_share)
    same(ask, "rank", [(x,) for x in (*rules.SANDBOX_LEVELS, "x", "")], rules.rank)
    labels = {"os": "linux", "gpu": ""}
    asked: list[list[tuple[str, str]]] = [
        [],
        [("os", "linux")],
        [("os", "bsd")],
        [("gpu", "")],
        [("tpu", "")],
        [("os", "linux"), ("tpu", "1")],
    ]
    same(ask, "carries", [(labels, each) for each in asked], rules.carries)


@settings(deadline=None, max_examples=300)
@given(
    numbers=st.tuples(st.integers(0, 10**20), st.integers(0, 10**20)),
    tails=st.tuples(st.text(max_size=3), st.text(max_size=3)),
    padded=st.booleans(),
)
def test_which_session_began_before_another(
    ask: Ask,
    numbers: tuple[int, int],
    tails: tuple[str, str],
    *,
    padded: bool,
) -> None:
    zeros = "0" if padded else ""
    one, other = (
        f"ses_{zeros}{number}_{tail}"
        for number, tail in zip(numbers, tails, strict=True)
    )
    cases = [(one, other), (one, None), (one, "x"), ("x", other), ("ses_1", other)]
    same(ask, "began_before", cases, rules.began_before)
