"""Redis: what moves in goes many at a time, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from crony import errors
from crony.model import ids
from crony.model.moving import MovedRun
from crony.model.run import Attempt, LogChunk
from crony.model.state import AttemptState
from crony.storage.redis import moving
from crony.testing import factories
from crony.testing.storage.scene import TENANT, Scene, second
from tests.storage.stands import Stand

Limits = tuple[str, int]


@pytest.fixture
def scene(stands: Callable[[str], Stand]) -> Iterator[Scene]:
    """An empty store."""
    store = stands("redis").new()
    store.open()
    yield Scene(store)
    store.close()


def left(scene: Scene) -> list[str]:
    """Return the ids of all runs."""
    return sorted(run.id for run in scene.runs())


@pytest.mark.parametrize(
    "limit", [("_AT_A_TIME", 2), ("_SIZE", 10), ("_SIZE", 1)], ids=str
)
def test_runs_move_in_by_pieces_up_to_one_that_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, limit: Limits
) -> None:
    monkeypatch.setattr(moving, *limit)
    schedule = scene.schedule()
    other = scene.schedule(tenant="other")
    chunk = LogChunk(sequence=1, stream="stdout", offset=0, data=b"12345678")
    attempt = Attempt(
        number=1,
        token=1,
        state=AttemptState.FAILED,
        worker="wrk_elsewhere",
        worker_name="elsewhere",
        leased_at=second(0),
        finished_at=second(1),
        log_bytes=8,
    )
    items = [
        MovedRun(
            run=replace(
                factories.make_run(of, scheduled_for=second(number)),
                attempts=(attempt,),
            ),
            output={attempt.token: (chunk,)},
        )
        for number in range(5)
        for of in ((other, schedule) if number == 1 else (schedule,))
    ]
    refused = replace(items[4].run, schedule=factories.make_id(ids.SCHEDULE))
    broken = [*items[:4], replace(items[4], run=refused), items[5]]
    with pytest.raises(errors.NotFound):
        scene.store.moving.put_runs(broken)
    first = sorted(item.run.id for item in items[:4] if item.run.tenant == TENANT)
    assert left(scene) == first
    counted = scene.store.moving.put_runs(items)
    assert list(counted) == [False] * 4 + [True] * 2
    mine = sorted(item.run.id for item in items if item.run.tenant == TENANT)
    assert left(scene) == mine
    last = items[5].run.id
    chunks, closed = scene.store.logs.read(TENANT, last, attempt=1, after=0)
    assert [each.data for each in chunks] == [chunk.data]
    assert closed
