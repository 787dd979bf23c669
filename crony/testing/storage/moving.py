"""Moving house: a store in which much happened, and moving it into another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest

from crony.model.hook import HookKind
from crony.model.lease import Holding
from crony.model.moving import MovedRun, MovedSchedule
from crony.model.schedule import Schedule
from crony.model.state import AttemptState, Reason, RunState, ScheduleState
from crony.storage import open_store
from crony.storage.contract import Page, Position, Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import TENANT, Scene, second

Item = TypeVar("Item")

_PAGE = 7


def read(
    page: Callable[[Position | None], Page[Item]], *, limit: int = _PAGE
) -> list[Item]:
    """Return all of a list, page by page."""
    found: list[Item] = []
    after: Position | None = None
    for _ in range(999):
        got = page(after)
        assert len(got.items) <= limit
        found += got.items
        if got.next is None:
            return found
        after = got.next
    raise AssertionError("the list has no end")


def schedules(
    store: Store, *, tenant: str = TENANT, limit: int = _PAGE
) -> list[MovedSchedule]:
    """Return all schedules that move."""
    return read(
        lambda after: store.moving.schedules(tenant, limit=limit, after=after),
        limit=limit,
    )


def runs(store: Store, *, tenant: str = TENANT, limit: int = _PAGE) -> list[MovedRun]:
    """Return all runs that move."""
    return read(
        lambda after: store.moving.runs(tenant, limit=limit, after=after), limit=limit
    )


def move(source: Store, target: Store, *, tenant: str = TENANT) -> None:
    """Put all of a tenant into another store."""
    for group in source.groups.page(tenant, limit=99, after=None).items:
        stored = target.groups.find(tenant, group.name)
        target.groups.put(group, expected=stored.revision if stored else None)
    for profile in source.profiles.page(tenant, limit=99, after=None).items:
        target.profiles.put(profile, expected=None)
    moved = schedules(source, tenant=tenant)
    assert list(target.moving.put_schedules(moved)) == [True] * len(moved)
    left = runs(source, tenant=tenant)
    assert list(target.moving.put_runs(left)) == [True] * len(left)


def move_again(source: Store, target: Store) -> None:
    """Put everything once more."""
    target.moving.put_schedules(schedules(source))
    target.moving.put_runs(runs(source))


def move_schedules(source: Store, target: Store) -> None:
    """Put all schedules, and no run."""
    moved = schedules(source)
    assert list(target.moving.put_schedules(moved)) == [True] * len(moved)


class Moving:
    """Gives tests a store that things move into, and one that they move out of."""

    @pytest.fixture
    def scene(self, store: Store) -> Scene:
        """The store that things move into."""
        return Scene(store)

    @pytest.fixture
    def source(self) -> Scene:
        """Another store, that things move out of."""
        store = open_store("memory://")
        store.migrate()
        store.open()
        return Scene(store)


def fill(scene: Scene) -> dict[str, Schedule]:
    """Let much happen, and nothing be in a worker's hands."""
    scene.group("etl", max_concurrent=3)
    scene.profile("slow")
    scene.hold(scene.schedule(name="held"), held=False)
    made = {
        "one": scene.schedule(
            name="one", limit=9, group="etl", labels={"team": "a.b$c"}
        ),
        "two": scene.schedule(name="two", limit=2, profile="slow"),
        "done": scene.schedule(cursor=None, state=ScheduleState.FINISHED),
        "dead": scene.schedule(name="dead"),
        "gone": scene.schedule(name="gone"),
    }
    worker = scene.worker(slots=99)
    _ended(scene, made["one"], worker_id=worker.id)
    _unfinished(scene, made["two"])
    scene.due(made["dead"], 0, state=RunState.MISSED, finished_at=second(0))
    scene.edit(made["dead"], name="dead", description="again")
    for name in ("dead", "gone"):
        scene.delete(made[name])
    return made


def _ended(scene: Scene, one: Schedule, *, worker_id: str) -> None:
    """Leave runs that have ended in all kinds of ways, hooks of them, and output."""
    store = scene.store
    worker = store.workers.find(TENANT, worker_id)
    assert worker is not None
    hooks = frozenset({HookKind.ERROR, HookKind.SUCCESS})
    first, second_, third = scene.due(one, 0, 1, 2, hooks=hooks, group="etl")
    items = {item.run: item for item in scene.start(worker)}
    write(scene, worker_id, items[first.id])
    entry = factories.make_progress(first.id, percent=12.5, message="so weit – gut")
    store.leases.progress(TENANT, worker_id, items[first.id].token, entry)
    usage: dict[str, object] = {"cpu": "1.5s", "a.b": [1, None, {"$c": "\u2028"}]}
    scene.report(
        worker,
        items[first.id],
        result={"$set": [0.1, -1, None, "\x00é"], "a.b": {}},
        usage=usage,
        limits={"memory": "1GiB"},
        exit_code=0,
        lateness=timedelta(microseconds=1501),
        duration=timedelta(seconds=1),
        sandbox_level="full",
    )
    scene.report(
        worker,
        items[second_.id],
        AttemptState.FAILED,
        error="no\nsuch file",
        exit_code=7,
    )
    scene.report(
        worker,
        items[third.id],
        AttemptState.TIMED_OUT,
        retry_at=scene.now + timedelta(hours=1),
        signal="SIGKILL",
    )
    hook = scene.hook(scene.run(second_), HookKind.ERROR)
    (item,) = scene.start(worker)
    scene.report(worker, item, says="it was the disk")
    assert scene.run(hook).state is RunState.SUCCEEDED
    owed = store.runs.follow_ups(limit=9)
    store.runs.followed([each for each in owed if each.run == second_.id])
    stretch = factories.make_run(
        scene.stored(one),
        scheduled_for=second(3),
        range_until=second(9),
        range_count=4,
        state=RunState.MISSED,
        reason=Reason.MISFIRE,
        finished_at=second(9),
    )
    moved = factories.make_materialisation(
        scene.stored(one), next_cursor=second(10), runs=(stretch,)
    )
    assert store.schedules.materialise([moved], now=scene.now)[0] == (True,)
    before = second(-1)
    scene.manual(one, state=RunState.CANCELLED, finished_at=before, group="etl")
    pruned = store.runs.prune(
        TENANT, one.id, keep=3, before=second(-9), now=second(99), limit=99
    )
    assert pruned == 1


def write(scene: Scene, worker: str, item: Holding) -> None:
    """Write more output than is kept, on two streams."""
    position = {"stdout": 0, "stderr": 0}
    for number in range(12):
        stream = "stderr" if number == 1 else "stdout"
        data = bytes([number, 0, 255 - number]) * 4
        chunk = factories.make_chunk(data, stream=stream, offset=position[stream])
        position[stream] += len(data)
        scene.store.logs.append(
            TENANT, worker, item.run, item.token, [chunk], head=10, bound=50
        )


def _unfinished(scene: Scene, two: Schedule) -> None:
    """Leave runs that wait: lost once, withdrawn, to come, triggered by hand."""
    store = scene.store
    worker = scene.worker(name="host-b", slots=1)
    lost, *_ = scene.due(two, 10, 11, 12)
    scene.after(10)
    (item,) = scene.start(worker, slots=1)
    assert item.run == lost.id
    scene.after(3600)
    store.leases.expire(now=scene.now, limit=9, include_leases=True)
    assert scene.run(lost).lost == 1
    ahead = scene.now - START + timedelta(seconds=60)
    scene.due(two, ahead / timedelta(seconds=1), overlap="skip")
    scene.edit(two, name="two", limit=2, description="a second revision")
    scene.manual(
        two,
        revision=2,
        overrides={"env": {"A.B": "$x"}},
        deadline_at=scene.now + timedelta(days=1),
        priority=3,
    )
    states = {run.state for run in scene.runs(schedule=two.id)}
    assert states == {RunState.PENDING, RunState.WITHDRAWN}
