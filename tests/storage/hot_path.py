"""Every verb of the hot path, used once, and the statements that it sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from crony.model.hook import HookKind
from crony.model.policy import Policy
from crony.model.state import AttemptState, Origin, RunState
from crony.model.webhook import DeliveryState
from crony.model.worker import Worker
from crony.storage import open_store
from crony.storage.contract import Creation, RunQuery, ScheduleQuery
from crony.storage.sql.connection import Answer, Connection
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import TENANT, Scene


@contextmanager
def caught() -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that are sent."""
    statements: list[tuple[str, Any]] = []
    send = Connection._send

    def listen(self: Connection, sql: str, values: Any) -> Answer:
        statements.append((sql, values))
        return send(self, sql, values)

    with patch.object(Connection, "_send", listen):
        yield statements


def verbs(url: str) -> None:
    """Use every verb of the hot path once, with something to do."""
    store = open_store(url)
    store.open()
    scene = Scene(store)
    schedule = scene.schedule(limit=3)
    scene.due(schedule, 0, 1, 2, 3)
    store.schedules.due(START, limit=9)
    store.schedules.earliest()
    store.schedules.walk(limit=9, after=None)
    worker = scene.worker()
    items = scene.start(worker, slots=2)
    scene.lease(worker, slots=1)
    store.leases.renew(
        worker.tenant,
        worker.id,
        session="session",
        holding=items,
        now=scene.now,
        lease_ttl=timedelta(seconds=60),
    )
    scene.report(worker, items[0], AttemptState.FAILED, retry_at=scene.after(1))
    scene.report(worker, items[0], AttemptState.FAILED)
    entry = factories.make_progress(items[1].run)
    store.leases.progress(worker.tenant, worker.id, items[1].token, entry)
    chunk = factories.make_chunk(b"x")
    store.logs.append(
        worker.tenant, worker.id, items[1].run, items[1].token, [chunk], head=1, bound=2
    )
    store.logs.read(TENANT, items[1].run, attempt=1, after=0)
    store.leases.reclaim(
        worker.tenant,
        worker.id,
        session="session",
        sequence=1,
        holding=items,
        now=scene.now,
    )
    scene.after(70)
    store.leases.expire(now=scene.now, limit=9, include_leases=True)
    store.leases.promote(horizon=scene.now, limit=9)
    store.leases.earliest()
    store.leases.inputs(TENANT, [items[1].run])
    decides(scene, worker)
    scene.edit(schedule)
    moves(scene, schedule.id)
    looks(scene, schedule.id, worker.id, items[1].run)
    store.runs.cancel("default", items[1].run, now=scene.now)
    store.schedules.delete(
        scene.stored(schedule), settled=(), cancel_running=True, now=scene.now
    )
    store.close()


def decides(scene: Scene, worker: Worker) -> None:
    """Use every verb by which time, limits and hooks decide, with something to do."""
    store, now = scene.store, scene.now
    group = factories.make_group(name="few", max_concurrent=2)
    assert store.groups.put(group, expected=None)[0]
    hooks = frozenset(HookKind)
    schedule = scene.schedule(group="few", limit=9)
    first, *_ = scene.due(
        schedule,
        0,
        policy=Policy(preemptible=True),
        hooks=hooks,
        hook_interval=timedelta(seconds=1),
        group="few",
    )
    items = scene.start(worker)
    assert first.id in [item.run for item in items]
    after = scene.schedule(limit=1)
    scene.due(after, 60, 61, 62, overlap="skip", deadline_at=now, priority=9)
    store.leases.overlap(now=now, limit=9)
    store.leases.lapse(now=now, limit=9)
    scene.manual(schedule, group="few", priority=9)
    scene.after(1)
    store.leases.preempt(now=scene.now, limit=9)
    store.leases.preemptible()
    store.leases.pulse(now=scene.now, limit=9)
    store.leases.scopes("default", first.id)
    held = {item.run: item for item in items}
    scene.report(worker, held[first.id], AttemptState.FAILED)
    owed = store.runs.follow_ups(limit=9)
    assert owed
    store.runs.followed(owed)
    store.runs.backfill([factories.make_run(schedule, origin=Origin.BACKFILL)], quota=9)
    store.runs.standing_at(schedule.tenant, schedule.id, scene.now)
    store.workers.lose(before=scene.now, limit=9, now=scene.now)
    keeps(scene, schedule.id)


def keeps(scene: Scene, schedule: str) -> None:
    """Use every verb that forgets, and those that read what is kept beside runs."""
    store, now = scene.store, scene.now
    store.runs.prune(TENANT, schedule, keep=0, before=now, now=now, limit=9)
    store.runs.pruned(TENANT, schedule)
    store.runs.prunable(limit=9, after=None)
    store.schedules.versions(TENANT, schedule, until=now, limit=9)
    store.schedules.in_group("default", "few", held=False, limit=9)
    store.schedules.ahead("default", now=START, limit=9, after=None)
    for found in store.schedules.unfinished("default", limit=9, after=None):
        store.schedules.limit([Creation(found, 7)])
    store.groups.schedules("default", ["few"])
    store.groups.uncarried(limit=9)
    group = store.groups.find("default", "few")
    assert group is not None
    assert store.groups.carried(group)
    raised = replace(group, max_concurrent=3, revision=2)
    assert store.groups.put(raised, expected=1)[0]
    spare = factories.make_group(name="spare")
    assert store.groups.put(spare, expected=None)[0]
    assert store.groups.delete("default", "spare", expected=1)
    profile = factories.make_profile(name="slow")
    assert store.profiles.put(profile, expected=None)
    store.profiles.uses("default", ["slow"])
    assert store.profiles.delete("default", "slow", expected=1)
    events = store.events.page("default", after=0, limit=9)
    some = frozenset({"run.*"})
    store.events.page("default", after=0, limit=9, types=some, schedule=schedule)
    store.events.bounds("default")
    webhook = factories.make_webhook()
    assert store.webhooks.put(webhook, expected=None)
    delivery = factories.make_delivery(webhook, event=events[0])
    store.webhooks.walk(limit=9, after=None)
    store.webhooks.advance(webhook, position=1, deliveries=[delivery], most=9)
    store.webhooks.due(now=now, limit=9)
    store.webhooks.earliest()
    done = replace(delivery, tries=1, next_at=None, finished_at=START)
    done = replace(done, state=DeliveryState.DELIVERED)
    assert store.webhooks.record(done, tries=delivery.tries)
    store.webhooks.deliveries("default", webhook.name, limit=9, after=None)
    assert store.webhooks.prune(before=now, limit=9) == 1
    assert store.events.prune(before=now, limit=9) == 9


def moves(scene: Scene, schedule: str) -> None:
    """Let things move out, and in again."""
    moving = scene.store.moving
    scene.tenant(held=True)
    before = (schedule[:-1], schedule[:-1])
    schedules = moving.schedules("default", limit=9, after=before).items
    there = [item for item in schedules if item.id == schedule]
    assert list(moving.put_schedules(there)) == [True]
    runs = moving.runs("default", limit=9, after=("run_", "run_")).items
    over = [item for item in runs if item.run.over]
    assert over
    assert all(moving.put_runs(over))
    assert moving.remove_runs("default", [item.run.id for item in over]) == len(over)
    scene.tenant(held=False)


def looks(scene: Scene, schedule: str, worker: str, run: str) -> None:
    """Use every verb that people look with."""
    store = scene.store
    store.schedules.find("default", "one")
    store.schedules.named("default", ["one", "two"])
    store.tenants.levels("default", groups=["few"], profiles=["slow"])
    store.runs.find("default", run)
    store.runs.live(TENANT, [schedule], runs=9, entries=9)
    store.runs.recent(TENANT, [schedule], limit=9)
    store.runs.errors(TENANT, [schedule], limit=9)
    store.runs.progress(TENANT, [schedule], limit=9)
    store.workers.running(TENANT, [worker])
    store.stats("default", now=scene.now)
    store.tenants.usage("default")
    store.keys.by_digest("x")
    for query in (
        RunQuery(),
        RunQuery(schedule=schedule),
        RunQuery(worker=worker),
        RunQuery(parent=run),
        RunQuery(group="few"),
        RunQuery(origin=Origin.MANUAL),
        RunQuery(oldest_first=True),
        RunQuery(states=frozenset({RunState.RUNNING})),
        RunQuery(states=frozenset({RunState.RUNNING, RunState.FAILED})),
    ):
        page = store.runs.page("default", query, limit=2, after=None)
        store.runs.page("default", query, limit=2, after=page.next)
    in_group = ScheduleQuery(group="few")
    store.schedules.page("default", in_group, limit=2, after=None)
    for sort in ("name", "next_run_at", "created_at"):
        listing = ScheduleQuery(sort=sort)
        first = store.schedules.page("default", listing, limit=2, after=None)
        store.schedules.page("default", listing, limit=2, after=first.next)
    one = store.schedules.find("default", "one")
    assert one is not None
    scene.manual(one)
