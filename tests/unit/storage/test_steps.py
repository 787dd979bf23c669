"""What runs are after their steps, as the drivers have it that keep them whole."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from crony import errors
from crony.model.lease import Standing
from crony.model.run import Run
from crony.model.state import AttemptState, Origin, Reason, RunState, ScheduleState
from crony.storage import rules
from crony.testing import factories
from crony.testing.clock import START

SOON, LATER = START + timedelta(seconds=1), START + timedelta(seconds=10)
_A, _R = AttemptState, RunState


def offered(**changes: Any) -> Run:
    """Return a run that a worker was offered."""
    run = factories.make_run(**changes)
    return rules.leased(run, factories.make_worker(), now=START)


def executing(**changes: Any) -> Run:
    """Return a run that its worker executes."""
    return rules.confirmed(offered(**changes), started_at=START)


def closed(run: Run, state: AttemptState, **changes: Any) -> Run:
    """Return the run after such a report."""
    item = factories.make_closing(run.id, run.token, state=state, **changes)
    return rules.closed(run, item, deleted=False, now=START)


def test_an_offer_that_is_taken_back_leaves_no_attempt_and_its_token_is_used() -> None:
    run = factories.make_run()
    back = rules.without_offer(offered(id=run.id))
    assert (back.attempt, back.attempts, back.token) == (0, (), 1)
    again = rules.leased(back, factories.make_worker(), now=START)
    assert (again.attempt, again.token) == (1, 2)
    assert rules.without_offer(run) is run


def test_what_is_confirmed_says_nothing_of_how_it_ended_before() -> None:
    failed = closed(executing(overlap="skip"), _A.FAILED, retry_at=LATER)
    assert (failed.state, failed.available_at) == (_R.PENDING, LATER)
    assert (failed.reason, failed.exit_code, failed.failures) == (Reason.EXIT, 1, 1)
    run = rules.leased(failed, factories.make_worker(), now=LATER)
    again = rules.confirmed(run, started_at=LATER)
    assert (again.reason, again.exit_code, again.error) == (None, None, None)
    assert (again.started_at, again.overlap) == (LATER, None)
    assert [each.state for each in again.attempts] == [_A.FAILED, _A.RUNNING]


def test_a_result_is_the_run_s_only_when_it_is_over() -> None:
    tried = closed(executing(), _A.FAILED, retry_at=LATER, result={"rows": 3})
    assert (tried.result, tried.finished_at) == (None, None)
    assert tried.attempts[-1].finished_at == START
    ended = closed(executing(), _A.SUCCEEDED, result={"rows": 3})
    assert (ended.result, ended.finished_at) == ({"rows": 3}, START)


@pytest.mark.parametrize(
    ("lost", "deleted", "state", "finished_at"),
    [
        (0, False, _R.PENDING, None),
        (0, True, _R.CANCELLED, LATER),
        (1, False, _R.FAILED, LATER),
    ],
)
def test_a_lost_run_is_pending_again_until_it_was_lost_too_often(
    lost: int, *, deleted: bool, state: RunState, finished_at: datetime | None
) -> None:
    run = executing(lost=lost, max_lost=2)
    after = rules.lost(run, deleted=deleted, now=LATER)
    assert (after.state, after.finished_at) == (state, finished_at)
    assert (after.lost, after.failures) == (lost + 1, 0)
    assert after.attempts[-1].state is _A.LOST


@pytest.mark.parametrize(
    ("state", "token", "deadline_at", "met"),
    [
        (_R.LEASED, 1, None, Standing.ACCEPTED),
        (_R.LEASED, 1, SOON, Standing.ACCEPTED),
        (_R.LEASED, 1, START, Standing.OVER),
        (_R.LEASED, 2, START, Standing.STALE),
        (_R.RUNNING, 1, START, Standing.REPEATED),
        (_R.RUNNING, 2, None, Standing.STALE),
        (_R.STOPPING, 1, None, Standing.OVER),
        (_R.PENDING, 1, None, Standing.STALE),
    ],
)
def test_a_confirm_counts_once_and_before_the_deadline(
    state: RunState, token: int, deadline_at: datetime | None, met: Standing
) -> None:
    standing = rules.confirm_standing(
        1,
        current=token,
        state=state,
        deadline_at=deadline_at,
        now=START,
    )
    assert standing is met


def test_what_is_written_of_a_lost_attempt_is_stale_while_its_run_goes_on() -> None:
    for was, met in ((_A.LOST, Standing.STALE), (_A.RUNNING, Standing.ACCEPTED)):
        standing = rules.running_standing(1, current=1, state=_R.RUNNING, was=was)
        assert standing is met


def test_an_occurrence_is_settled_once_unless_it_was_withdrawn() -> None:
    run = factories.make_run()
    assert rules.settled(None, run) == run
    assert rules.settled(run, run) is None
    withdrawn = replace(run, state=_R.WITHDRAWN, token=3)
    edited = replace(run, revision=2, queue="other")
    back = rules.settled(withdrawn, edited)
    assert back == replace(edited, token=3)


@pytest.mark.parametrize(
    ("changes", "ahead"),
    [
        ({}, True),
        ({"state": _R.LEASED}, True),
        ({"state": _R.RUNNING}, False),
        ({"origin": Origin.MANUAL}, False),
        ({"scheduled_for": START}, False),
    ],
)
def test_only_occurrences_still_to_come_that_nobody_has_begun_are_ahead(
    changes: dict[str, Any], *, ahead: bool
) -> None:
    assert rules.is_ahead(factories.make_run(**changes), now=START) is ahead


def test_an_item_counts_where_it_expects_the_schedule_and_may_finish_it() -> None:
    schedule = factories.make_schedule()
    item = factories.make_materialisation(schedule)
    assert rules.advances(schedule, item)
    others: list[dict[str, Any]] = [
        {"state": ScheduleState.PAUSED},
        {"revision": 2},
        {"cursor": LATER},
    ]
    for other in others:
        assert not rules.advances(replace(schedule, **other), item)
    after = rules.advanced(schedule, item, grown=2)
    assert (after.cursor, after.occurrences) == (item.next_cursor, 2)
    last = rules.advanced(schedule, replace(item, next_cursor=None), grown=1)
    assert (last.cursor, last.state) == (None, ScheduleState.FINISHED)


def test_so_much_gives_way_that_one_more_has_a_place_and_the_oldest_first() -> None:
    schedule = factories.make_schedule()
    first, second, third, run = (
        factories.make_run(schedule, scheduled_for=START + timedelta(minutes=n))
        for n in range(4)
    )
    beside = replace(first, origin=Origin.BACKFILL)
    way = rules.in_the_way(run, [third, run, beside, second, first])
    assert way == [first, second, third]
    assert rules.giving_way(way, limit=2) == [first, second]
    assert rules.giving_way(way, limit=4) == []
    stopping = replace(first, state=_R.STOPPING, reason=Reason.USER)
    assert rules.giving_way([stopping, second], limit=1) == [second]
    going_on = replace(stopping, reason=Reason.PREEMPTED)
    assert rules.giving_way([going_on, second], limit=2) == [going_on]


@pytest.mark.parametrize(
    ("session", "sequence", "replaced"),
    [
        ("ses_2_b", 7, False),
        ("ses_2_b", 6, False),
        ("ses_1_a", 9, False),
        ("ses_x", 9, True),
    ],
)
def test_a_poll_that_was_overtaken_or_whose_session_is_over_is_refused(
    session: str, sequence: int, *, replaced: bool
) -> None:
    worker = factories.make_worker(session="ses_2_b", sequence=7)
    with pytest.raises(errors.StaleToken):
        rules.check_begin(worker, session=session, sequence=sequence, replaced=replaced)


def test_the_next_poll_and_the_first_of_a_later_session_are_taken() -> None:
    worker = factories.make_worker(session="ses_2_b", sequence=7)
    for session, sequence in (("ses_2_b", 8), ("ses_3_c", 1), ("x", 1)):
        rules.check_begin(worker, session=session, sequence=sequence, replaced=False)


def test_only_the_stored_session_renews_and_any_before_the_first_poll() -> None:
    rules.check_stored(factories.make_worker(), session="ses_2_b")
    worker = factories.make_worker(session="ses_3_c", sequence=1)
    rules.check_stored(worker, session="ses_3_c")
    with pytest.raises(errors.StaleToken):
        rules.check_stored(worker, session="ses_2_b")
