"""The first admin key: one for a store, whatever its starts go through."""

from __future__ import annotations

import multiprocessing
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crony import errors
from crony.clock import StoreClock
from crony.model.worker import Role
from crony.scheduler import adminfile
from crony.scheduler.adminfile import AdminFile
from crony.scheduler.keys import Keys, new_secret
from crony.scheduler.service import Service
from crony.storage import open_store
from tests.unit.scheduler.stage import TENANT, Stage


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
