"""What is due when: the keeper's arithmetic on instants given by hand."""

from crony.worker.outcome import StopCause
from crony.worker.plan import Action, Plan
from tests.unit.worker.factories import lease, limits, seconds


def started(at: float = 1, **its_limits: str) -> Plan:
    """Return the plan of a task that was let go then."""
    plan = Plan(lease(limits=limits(**its_limits)))
    plan.started_at = seconds(at)
    return plan


def test_a_running_task_is_left_alone_until_something_is_due() -> None:
    plan = started()
    assert plan.action(seconds(47)) is Action.GO_ON
    assert plan.next_at(seconds(47)) == plan.limit.stop_at


def test_a_task_whose_lease_runs_out_is_stopped_before_the_watchdog_kills() -> None:
    plan = started()
    assert plan.action(plan.limit.stop_at) is Action.TERMINATE
    assert plan.cause is StopCause.LEASE_END
    assert plan.action(plan.limit.kill_at) is Action.KILL


def test_a_renewal_moves_all_instants() -> None:
    plan = started()
    before = plan.limit
    assert plan.renew(seconds(90), seconds(30))
    assert plan.limit.stop_at - before.stop_at == seconds(29)
    assert plan.action(before.kill_at) is Action.GO_ON


def test_a_late_answer_never_moves_the_end_back() -> None:
    plan = started()
    before = plan.limit
    assert not plan.renew(seconds(59), seconds(30))
    assert plan.limit == before


def test_a_renewal_that_grants_hardly_more_changes_nothing() -> None:
    plan = started()
    before = plan.limit
    assert not plan.renew(seconds(62), seconds(30))
    assert plan.limit == before
    assert plan.renew(seconds(63), seconds(30))


def test_a_renewal_after_the_watchdog_has_killed_does_not_revive() -> None:
    plan = started()
    before = plan.limit
    plan.renew(seconds(120), before.kill_at)
    assert plan.limit == before
    assert plan.cause is StopCause.LEASE_END


def test_max_runtime_counts_from_the_start_and_grants_the_grace() -> None:
    plan = started(at=1)
    plan.renew(seconds(7200), seconds(30))
    over = seconds(1 + 3600)
    assert plan.action(over - seconds(0.001)) is Action.GO_ON
    assert plan.action(over) is Action.TERMINATE
    assert plan.cause is StopCause.MAX_RUNTIME
    assert plan.action(over + seconds(9.9)) is Action.GO_ON
    assert plan.next_at(over + seconds(9.9)) == over + seconds(10)
    assert plan.action(over + seconds(10)) is Action.KILL


def test_a_task_that_runs_at_its_deadline_is_stopped_with_its_grace() -> None:
    plan = started(deadline_in="20s")
    assert plan.next_at(seconds(2)) == seconds(20)
    assert plan.action(seconds(19.999)) is Action.GO_ON
    assert plan.action(seconds(20)) is Action.TERMINATE
    assert plan.cause is StopCause.DEADLINE
    assert plan.action(seconds(29.999)) is Action.GO_ON
    assert plan.action(seconds(30)) is Action.KILL


def test_of_deadline_and_max_runtime_the_earlier_one_counts() -> None:
    plan = started(deadline_in="20s", max_runtime="10s")
    assert plan.next_at(seconds(2)) == seconds(11)
    assert plan.action(seconds(11)) is Action.TERMINATE
    assert plan.cause is StopCause.MAX_RUNTIME


def test_what_has_not_started_by_its_deadline_never_starts() -> None:
    plan = Plan(lease(limits=limits(deadline_in="5s")))
    assert plan.may_start(seconds(4.999))
    assert plan.next_at(seconds(1)) == seconds(5)
    assert not plan.may_start(seconds(5))
    assert plan.cause is StopCause.DEADLINE
    assert plan.action(seconds(5)) is Action.GIVE_UP


def test_a_prepared_task_is_given_up_at_its_deadline() -> None:
    plan = Plan(lease(limits=limits(deadline_in="5s")))
    assert plan.action(seconds(5)) is Action.GIVE_UP
    assert plan.cause is StopCause.DEADLINE


def test_a_kill_is_repeated_until_the_end_is_seen() -> None:
    plan = started()
    plan.stop(StopCause.SHUTDOWN, seconds(5))
    assert plan.action(seconds(5)) is Action.KILL
    assert plan.action(seconds(5.5)) is Action.GO_ON
    assert plan.action(seconds(6)) is Action.KILL


def test_what_is_another_workers_is_killed_without_grace_even_while_stopping() -> None:
    plan = started()
    plan.stop(StopCause.CANCELLED, seconds(5))
    assert plan.action(seconds(5)) is Action.TERMINATE
    plan.stop(StopCause.LOST, seconds(6))
    assert plan.action(seconds(6)) is Action.KILL
    assert plan.cause is StopCause.LOST


def test_the_first_reason_to_stop_is_the_one_reported() -> None:
    plan = started()
    plan.stop(StopCause.CANCELLED, seconds(5))
    plan.stop(StopCause.PREEMPTED, seconds(6))
    assert plan.cause is StopCause.CANCELLED


def test_a_cancel_outweighs_a_preemption_and_grants_no_second_grace() -> None:
    plan = started()
    plan.stop(StopCause.PREEMPTED, seconds(5))
    assert plan.action(seconds(5)) is Action.TERMINATE
    plan.stop(StopCause.CANCELLED, seconds(6))
    assert plan.cause is StopCause.CANCELLED
    assert plan.action(seconds(14.999)) is Action.GO_ON
    assert plan.action(seconds(15)) is Action.KILL


def test_what_has_ended_by_itself_is_not_stopped_any_more() -> None:
    plan = started()
    plan.ended(seconds(5), killed=False)
    plan.stop(StopCause.PREEMPTED, seconds(5))
    assert plan.cause is None
    # Another has it: what became of it here is of no interest.
    plan.stop(StopCause.LOST, seconds(5))
    assert plan.cause is StopCause.LOST


def test_an_offer_that_is_stopped_is_given_up() -> None:
    plan = Plan(lease())
    plan.stop(StopCause.CANCELLED, seconds(0))
    assert plan.action(seconds(0)) is Action.GIVE_UP


def test_a_worker_that_slept_through_the_lease_starts_nothing() -> None:
    plan = Plan(lease())
    assert plan.may_start(seconds(1))
    assert not plan.may_start(plan.limit.stop_at)
    assert plan.action(plan.limit.stop_at) is Action.GIVE_UP


def test_nothing_starts_twice() -> None:
    assert not started().may_start(seconds(2))


def test_of_two_readings_of_an_instant_the_earlier_is_taken() -> None:
    plan = Plan(lease())
    plan.refine(seconds(1.002))
    assert plan.start_at == seconds(1)
    plan.refine(seconds(0.998))
    assert plan.start_at == seconds(0.998)


def test_a_kill_past_the_lease_counts_as_the_watchdogs() -> None:
    plan = started()
    plan.ended(plan.limit.kill_at, killed=True)
    assert plan.cause is StopCause.LEASE_END


def test_a_task_that_was_killed_within_its_lease_failed_by_itself() -> None:
    plan = started()
    plan.ended(seconds(20), killed=True)
    assert plan.cause is None
