"""A repeated request gets the first answer, and is carried out once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony import errors
from crony.scheduler import idempotency
from crony.scheduler.idempotency import Begun
from crony.storage.contract import Answer
from tests.unit.scheduler.stage import DAY, HOUR, SECOND, TENANT, Stage


def _begin(stage: Stage, *, digest: str = "d", resource: str = "r"):  # type: ignore[no-untyped-def]
    return stage.service.idempotency.begin(
        TENANT, "k", digest=digest, resource=resource
    )


def test_a_repeated_request_gets_the_first_answer(stage: Stage) -> None:
    begun = _begin(stage)
    stage.service.idempotency.finish(
        TENANT, "k", begun, status=201, headers={"Location": "/x"}, body=b"{}"
    )
    replay = _begin(stage, resource="other").replay
    assert replay is not None
    assert (replay.status, replay.body) == (201, b"{}")
    assert replay.headers == {"Location": "/x"}


def test_a_key_with_another_request_is_refused(stage: Stage) -> None:
    _begin(stage)
    with pytest.raises(errors.KeyReused):
        _begin(stage, digest="another")


def test_a_key_whose_first_request_is_under_way_is_refused(stage: Stage) -> None:
    _begin(stage)
    stage.advance(29 * SECOND)
    with pytest.raises(errors.KeyInProgress):
        _begin(stage)


def test_an_abandoned_claim_is_taken_over_under_the_same_id(stage: Stage) -> None:
    _begin(stage, resource="first")
    stage.advance(30 * SECOND)
    assert _begin(stage, resource="second").resource == "first"
    with pytest.raises(errors.KeyInProgress):
        _begin(stage, resource="third")


def test_a_refused_request_leaves_no_claim(stage: Stage) -> None:
    begun = _begin(stage, resource="first")
    stage.service.idempotency.abandon(TENANT, "k", begun)
    assert _begin(stage, resource="second").resource == "second"


def _finish(stage: Stage, begun: Begun, *, status: int) -> None:
    stage.service.idempotency.finish(
        TENANT, "k", begun, status=status, headers={}, body=None
    )


def test_a_refused_take_over_leaves_the_id_of_the_first_request(stage: Stage) -> None:
    first = _begin(stage, resource="first")
    stage.advance(30 * SECOND)
    later = _begin(stage, resource="second")
    _finish(stage, first, status=201)
    stage.service.idempotency.abandon(TENANT, "k", later)
    stage.advance(30 * SECOND)
    assert _begin(stage, resource="third").resource == "first"


def test_a_slow_first_request_does_not_undo_who_took_over(stage: Stage) -> None:
    first = _begin(stage, resource="first")
    stage.advance(30 * SECOND)
    later = _begin(stage, resource="second")
    stage.service.idempotency.abandon(TENANT, "k", first)
    _finish(stage, later, status=201)
    _finish(stage, first, status=200)
    replay = _begin(stage).replay
    assert replay is not None
    assert (replay.resource, replay.status) == ("first", 201)


def test_an_answer_that_comes_in_between_is_not_taken_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _begin(stage, resource="first")
    stage.advance(30 * SECOND)
    claim = stage.store.answers.claim

    def claim_then_finish(tenant: str, key: str, answer: Answer) -> Answer | None:
        found = claim(tenant, key, answer)
        monkeypatch.undo()
        _finish(stage, first, status=201)
        return found

    monkeypatch.setattr(stage.store.answers, "claim", claim_then_finish)
    replay = _begin(stage, resource="second").replay
    assert replay is not None
    assert (replay.resource, replay.status) == ("first", 201)


@pytest.mark.parametrize("prune", [True, False])
def test_an_answer_is_kept_for_a_day(stage: Stage, *, prune: bool) -> None:
    begun = _begin(stage)
    stage.service.idempotency.finish(
        TENANT, "k", begun, status=200, headers={}, body=None
    )
    stage.advance(DAY - HOUR)
    assert _begin(stage).replay is not None
    stage.advance(HOUR + timedelta(milliseconds=1))
    if prune:
        assert stage.service.idempotency.prune(stage.clock.now()) == 1
    assert _begin(stage, digest="new", resource="new").resource == "new"


def test_a_backlog_of_old_answers_is_forgotten_step_by_step(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_BATCH", 2)
    keys = [f"k{number}" for number in range(5)]
    for key in keys:
        stage.service.idempotency.begin(TENANT, key, digest="d", resource="old")
    stage.advance(DAY + SECOND)
    for _ in range(3):
        stage.service.idempotency.sweep()
    assert stage.service.idempotency.prune(stage.clock.now()) == 0
