"""Keys, tenants, workers and idempotency keys."""

from __future__ import annotations

import multiprocessing
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from crony import errors
from crony.clock import StoreClock
from crony.model.worker import Quotas, Role, WorkerState
from crony.scheduler import adminfile, idempotency
from crony.scheduler.adminfile import AdminFile
from crony.scheduler.idempotency import Begun
from crony.scheduler.keys import Keys, new_secret
from crony.scheduler.service import Service
from crony.storage import open_store
from crony.storage.contract import Answer
from tests.unit.scheduler.stage import DAY, HOUR, MINUTE, SECOND, TENANT, Stage


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


def test_the_first_start_writes_an_admin_key_that_works(
    stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    for _ in range(2):
        stage.service.keys.ensure_admin(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = stage.service.keys.authenticate(path.read_text().strip())
    assert key.role is Role.ADMIN
    keys = stage.service.keys.page(TENANT, limit=10, after=None)
    assert [item.id for item in keys.items] == [key.id]


def test_a_deleted_admin_key_never_works_again(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "admin.key"
    stage.service.keys.ensure_admin(path)
    seen = path.read_text().strip()
    key = stage.service.keys.authenticate(seen)
    stage.service.keys.delete(TENANT, key.id)
    stage.service.keys.ensure_admin(path)
    another = stage.service.keys.authenticate(path.read_text().strip())
    assert (another.role, another.digest == key.digest) == (Role.ADMIN, False)
    with pytest.raises(errors.Unauthenticated):
        stage.service.keys.authenticate(seen)


def test_a_start_that_was_killed_before_the_key_was_stored_is_made_up_for(
    stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    with adminfile.locked(path) as file:
        file.prepare(new_secret(bytes))
    assert stage.service.keys.ensure_admin(path)
    assert stage.service.keys.authenticate(_secret(path)).role is Role.ADMIN


def test_a_start_that_was_killed_after_the_key_was_stored_is_made_up_for(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "admin.key"

    def killed(self: AdminFile) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AdminFile, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            stage.service.keys.ensure_admin(path)
    assert not path.exists()
    assert stage.service.keys.ensure_admin(path)
    assert stage.service.keys.authenticate(_secret(path)).role is Role.ADMIN


def test_a_second_home_gets_no_admin_key_while_the_store_has_one(
    stage: Stage, tmp_path: Path
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for home in (first, second):
        home.mkdir()
    keys = stage.service.keys
    assert keys.ensure_admin(first / "admin.key")
    assert not keys.ensure_admin(second / "admin.key")
    assert not (second / "admin.key").exists()
    # The first one may be gone while another does.
    key, _ = keys.create(TENANT, role=Role.ADMIN)
    keys.delete(TENANT, keys.authenticate(_secret(first / "admin.key")).id)
    assert not keys.ensure_admin(second / "admin.key")
    assert not keys.ensure_admin(first / "admin.key")
    keys.delete(TENANT, key.id)
    assert keys.ensure_admin(second / "admin.key")


def test_of_homes_that_start_at_once_one_gets_the_admin_key(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = [tmp_path / name for name in "abc"]
    for home in homes:
        home.mkdir()
    # All have looked before one of them stored it.
    looked = threading.Barrier(len(homes))

    def has_none(self: Keys) -> bool:
        looked.wait(timeout=10)
        return False

    monkeypatch.setattr(Keys, "_has_admin", has_none)
    with ThreadPoolExecutor(len(homes)) as pool:
        files = [home / "admin.key" for home in homes]
        had = list(pool.map(stage.node().keys.ensure_admin, files))
    assert sorted(had) == [False, False, True]
    (only,) = [file for file in files if file.exists()]
    assert stage.service.keys.authenticate(_secret(only)).role is Role.ADMIN


def test_a_file_of_another_store_is_left_alone(stage: Stage, tmp_path: Path) -> None:
    stage.service.keys.create(TENANT, role=Role.ADMIN)
    path = tmp_path / "admin.key"
    with adminfile.locked(path) as file:
        file.prepare(new_secret(bytes))
        file.keep()
    before = path.read_text()
    assert not stage.service.keys.ensure_admin(path)
    assert path.read_text() == before


def test_another_admin_key_can_be_had_on_the_host(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "admin.key"
    stage.service.keys.ensure_admin(path)
    old = _secret(path)
    made = stage.service.keys.add_admin(path)
    assert stage.service.keys.authenticate(_secret(path)) == made
    assert stage.service.keys.authenticate(old).role is Role.ADMIN


def _secret(path: Path) -> str:
    return path.read_text().strip()


def test_a_start_that_was_killed_leaves_no_half_key(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "admin.key.new").write_text("crony_half")
    stage.service.keys.ensure_admin(tmp_path / "admin.key")
    names = {item.name for item in tmp_path.iterdir()}
    assert names == {"admin.key", "store"}


def test_an_admin_key_that_others_may_read_is_refused(
    stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    stage.service.keys.ensure_admin(path)
    path.chmod(0o644)
    with pytest.raises(errors.MissingSafeguard):
        stage.service.keys.ensure_admin(path)


def _start(home: Path) -> str:
    store = open_store(f"sqlite:///{home}/crony.db", home=home)
    store.open()
    keys = Service(store, StoreClock(store.now)).keys
    keys.ensure_admin(home / "admin.key")
    found = keys.authenticate((home / "admin.key").read_text().strip())
    store.close()
    return found.id


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    store = open_store(f"sqlite:///{tmp_path}/crony.db", home=tmp_path)
    store.migrate()
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        seen = pool.map(_start, [tmp_path] * 6, chunksize=1)
    store.open()
    stored = store.keys.page(TENANT, limit=10, after=None).items
    store.close()
    assert {key.id for key in stored} == set(seen)
    assert len(stored) == 1


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
