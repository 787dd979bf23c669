"""How often leases are renewed."""

from datetime import timedelta

import pytest

from crony.client import Client
from crony.model.task import Json
from crony.worker.keeper import Keeper
from crony.worker.lease import Exchange
from crony.worker.roster import Roster
from tests.unit.worker.factories import ZERO, seconds


@pytest.fixture
def keeper() -> Keeper:
    """One that holds nothing, so that a step only says when to come again."""
    return Keeper(
        Client("http://127.0.0.1:9", key="crony_test"),
        Roster(slots=1, freed=lambda: None),
        worker="wrk_1",
        session="ses_1",
        lease_ttl=seconds(60),
        holding=list,
        superseded=lambda: None,
    )


def granted(keeper: Keeper, expires_in: str, *, held: timedelta = ZERO) -> None:
    """Let an answer grant so much."""
    one: dict[str, Json] = {"run": "run_1", "token": 7, "expires_in": expires_in}
    keeper.take({"renewed": [one]}, Exchange(ZERO, held, held))


def test_leases_are_renewed_a_quarter_of_their_time_apart(keeper: Keeper) -> None:
    assert keeper.step() == seconds(15)


def test_a_service_that_grants_less_is_asked_more_often(keeper: Keeper) -> None:
    granted(keeper, "20s")
    assert keeper.step() == seconds(5)


def test_the_time_an_answer_was_held_is_no_shorter_grant(keeper: Keeper) -> None:
    granted(keeper, "45s", held=seconds(15))
    assert keeper.step() == seconds(15)


def test_one_short_grant_does_not_last(keeper: Keeper) -> None:
    granted(keeper, "20s")
    granted(keeper, "60s")
    assert keeper.step() == seconds(15)


def test_whatever_is_granted_the_service_is_not_asked_in_circles(
    keeper: Keeper,
) -> None:
    granted(keeper, "0s")
    assert keeper.step() == seconds(0.5)
