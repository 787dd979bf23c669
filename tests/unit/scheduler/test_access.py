"""Keys, tenants and workers."""

from __future__ import annotations

import pytest

from crony import errors
from crony.model.worker import Quotas, Role, WorkerState
from tests.unit.scheduler.stage import MINUTE, SECOND, TENANT, Stage


def test_a_secret_opens_what_its_key_may(stage: Stage) -> None:
    key, secret = stage.service.keys.create(TENANT, role=Role.EDITOR)
    assert secret.startswith(key.prefix)
    assert len(secret) == len("crony_") + 43
    assert stage.service.keys.authenticate(secret).id == key.id


def test_an_unknown_secret_opens_nothing(stage: Stage) -> None:
    with pytest.raises(errors.Unauthenticated):
        stage.service.keys.authenticate("crony_" + "a" * 43)


def test_a_deleted_key_stops_working_at_once(stage: Stage) -> None:
    key, secret = stage.service.keys.create(TENANT, role=Role.VIEWER)
    stage.service.keys.authenticate(secret)
    stage.service.keys.delete(TENANT, key.id)
    with pytest.raises(errors.Unauthenticated):
        stage.service.keys.authenticate(secret)


def test_a_key_deleted_on_another_node_stops_working_soon(stage: Stage) -> None:
    key, secret = stage.service.keys.create(TENANT, role=Role.VIEWER)
    stage.service.keys.authenticate(secret)
    stage.node().keys.delete(TENANT, key.id)
    stage.advance(3 * SECOND)
    with pytest.raises(errors.Unauthenticated):
        stage.service.keys.authenticate(secret)


def test_a_key_expires_though_it_was_just_used(stage: Stage) -> None:
    ends = stage.clock.now() + SECOND
    _, secret = stage.service.keys.create(TENANT, role=Role.VIEWER, expires_at=ends)
    stage.service.keys.authenticate(secret)
    stage.advance(SECOND)
    with pytest.raises(errors.Unauthenticated):
        stage.service.keys.authenticate(secret)


def test_a_use_is_written_at_most_once_a_minute(stage: Stage) -> None:
    key, secret = stage.service.keys.create(TENANT, role=Role.VIEWER)
    used = []
    for span in (0, 30, 30):
        stage.advance(SECOND * span)
        stage.service.keys.authenticate(secret)
        stage.service.keys.flush()
        used.append(stage.service.keys.find(TENANT, key.id).used_at)
    start = stage.clock.now() - MINUTE
    assert used == [start, start, start + MINUTE]


def test_a_repeated_creation_replaces_the_key_nobody_received(stage: Stage) -> None:
    key, lost = stage.service.keys.create(TENANT, role=Role.VIEWER)
    again, secret = stage.service.keys.create(TENANT, role=Role.VIEWER, id=key.id)
    assert again.id == key.id
    assert stage.service.keys.authenticate(secret).id == key.id
    with pytest.raises(errors.Unauthenticated):
        stage.service.keys.authenticate(lost)


def test_a_key_of_a_worker_can_not_be_made_by_hand(stage: Stage) -> None:
    with pytest.raises(errors.InvalidBody):
        stage.service.keys.create(TENANT, role=Role.WORKER)


def test_a_tenant_is_made_changed_and_removed(stage: Stage) -> None:
    tenants = stage.service.tenants
    made = tenants.put("acme", quotas=Quotas(), if_none_match=True)
    assert (made[0].revision, made[1]) == (1, True)
    few = Quotas(schedules=1)
    changed, new = tenants.put("acme", quotas=few, if_match=1)
    assert (changed.revision, changed.quotas, new) == (2, few, False)
    assert tenants.usage("acme").schedules == 0
    with pytest.raises(errors.RevisionMismatch):
        tenants.put("acme", quotas=Quotas(), if_match=1)
    with pytest.raises(errors.RevisionMismatch):
        tenants.put("acme", quotas=Quotas(), if_none_match=True)
    tenants.delete("acme")
    with pytest.raises(errors.NotFound):
        tenants.find("acme")


def test_a_quota_bounds_the_schedules_of_a_tenant(stage: Stage) -> None:
    stage.service.tenants.put(TENANT, quotas=Quotas(schedules=1))
    stage.add()
    with pytest.raises(errors.QuotaExceeded):
        stage.add()


def test_registering_again_is_the_same_worker_with_a_new_key(stage: Stage) -> None:
    facts = {
        "name": "host-a",
        "machine": "ab" * 32,
        "queues": ["default"],
        "labels": {},
        "slots": 4,
        "sandbox_level": "full",
        "version": "1",
    }
    first, old = stage.service.workers.register(TENANT, **facts)
    second, new = stage.service.workers.register(TENANT, **facts)
    assert second.id == first.id
    key = stage.service.keys.authenticate(new)
    assert (key.role, key.worker) == (Role.WORKER, first.id)
    with pytest.raises(errors.Unauthenticated):
        stage.service.keys.authenticate(old)


def test_a_worker_that_is_not_seen_for_a_lease_time_is_lost(stage: Stage) -> None:
    worker = stage.worker()
    workers = stage.service.workers
    assert workers.view(worker).state is WorkerState.ONLINE
    stage.advance(61 * SECOND)
    assert workers.view(worker).state is WorkerState.LOST
    assert workers.by_state(TENANT)[WorkerState.LOST] == 1


def test_a_view_of_a_worker_shows_what_it_runs(stage: Stage) -> None:
    worker = stage.worker()
    schedule = stage.add()
    stage.start(worker)
    view = stage.service.workers.view(worker)
    assert (view.slots_used, list(view.running)) == (1, [stage.run(schedule).id])


def test_a_deleted_worker_is_gone(stage: Stage) -> None:
    worker = stage.worker()
    stage.service.workers.delete(TENANT, worker.name)
    with pytest.raises(errors.NotFound):
        stage.service.workers.find(TENANT, worker.id)
