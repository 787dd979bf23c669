"""What a worker was told already is no reason to answer early."""

from crony.api.told import Told
from crony.model.lease import Revoked

_ONE = Revoked("run_1", 3, "cancelled")
_OTHER = Revoked("run_2", 1, "replaced")


def test_a_revocation_is_news_once_for_each_session() -> None:
    told = Told()
    assert told.is_news("wrk_1", session="ses_1", revoked=[_ONE])
    told.tell("wrk_1", session="ses_1", revoked=[_ONE])
    assert not told.is_news("wrk_1", session="ses_1", revoked=[_ONE])
    assert told.is_news("wrk_1", session="ses_2", revoked=[_ONE])
    assert told.is_news("wrk_2", session="ses_1", revoked=[_ONE])


def test_another_run_and_another_token_are_news() -> None:
    told = Told()
    told.tell("wrk_1", session="ses_1", revoked=[_ONE])
    assert told.is_news("wrk_1", session="ses_1", revoked=[_ONE, _OTHER])
    newer = Revoked("run_1", 4, "cancelled")
    assert told.is_news("wrk_1", session="ses_1", revoked=[newer])


def test_nothing_to_give_up_is_no_news_and_takes_no_memory() -> None:
    told = Told()
    told.tell("wrk_1", session="ses_1", revoked=[_ONE])
    told.tell("wrk_1", session="ses_1", revoked=[])
    assert not told.is_news("wrk_1", session="ses_1", revoked=[])
    assert not told._last


def test_the_longest_silent_worker_is_forgotten_first() -> None:
    told = Told()
    for number in range(10_001):
        told.tell(f"wrk_{number}", session="ses_1", revoked=[_ONE])
    assert told.is_news("wrk_0", session="ses_1", revoked=[_ONE])
    assert not told.is_news("wrk_1", session="ses_1", revoked=[_ONE])


def test_another_reason_for_the_same_run_is_news() -> None:
    told = Told()
    told.tell("wrk_1", session="ses_1", revoked=[Revoked("run_1", 3, "preempted")])
    assert told.is_news("wrk_1", session="ses_1", revoked=[_ONE])
