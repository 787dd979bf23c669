"""Credentials: kept for their owner alone, and refused when they are not."""

import json
from pathlib import Path

import pytest

from crony import config, errors
from crony.config import Settings
from crony.worker import places
from crony.worker.registration import Credentials, load_credentials, register
from tests.unit.worker.factories import seconds

_KEPT = {
    "id": "wrk_1",
    "key": "crony_secret",
    "lease_ttl": "60s",
    "poll_wait": "20s",
    "lease_ahead": "5s",
    "margin": "6s",
    "name": "host-a",
    "api_url": "http://127.0.0.1:1",
    "slots": 3,
    "sandbox_level": "full",
}


def settings(**worker: str) -> Settings:
    """Return settings of a worker named host-a at an address where nobody is."""
    environ = {f"CRONY_WORKER_{key.upper()}": text for key, text in worker.items()}
    environ |= {"CRONY_WORKER_NAME": "host-a", "CRONY_API_URL": "http://127.0.0.1:1"}
    return config.load(path=None, environ=environ, overrides={})


def keep(home: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a credentials file."""
    places.make(home, "host-a")
    path = places.credentials(home, "host-a")
    path.write_text(text)
    path.chmod(mode)


def load(home: Path) -> Credentials:
    """Load the credentials of host-a."""
    return load_credentials(settings(), home=home)


def test_what_was_kept_is_read(tmp_path: Path) -> None:
    keep(tmp_path, json.dumps(_KEPT))
    found = load(tmp_path)
    assert (found.id, found.slots, found.key) == ("wrk_1", 3, "crony_secret")
    assert found.lease_ttl == seconds(60)


def test_the_key_is_not_shown(tmp_path: Path) -> None:
    keep(tmp_path, json.dumps(_KEPT))
    assert "crony_secret" not in repr(load(tmp_path))


def test_a_worker_that_was_never_registered_is_told_how(tmp_path: Path) -> None:
    with pytest.raises(errors.Unauthenticated, match="crony-worker register"):
        load(tmp_path)


def test_credentials_that_others_may_read_are_refused(tmp_path: Path) -> None:
    keep(tmp_path, json.dumps(_KEPT), mode=0o640)
    with pytest.raises(errors.MissingSafeguard, match="chmod 600"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"id": "wrk_1"}', "{"])
def test_damaged_credentials_are_said_to_be(tmp_path: Path, text: str) -> None:
    keep(tmp_path, text)
    with pytest.raises(errors.InvalidSetting, match="register again"):
        load(tmp_path)


def test_without_any_key_registering_says_where_one_comes_from(tmp_path: Path) -> None:
    with pytest.raises(errors.Unauthenticated, match="--key-file"):
        register(settings(), home=tmp_path)


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "enroll.key"
    with pytest.raises(errors.InvalidSetting, match="key_file"):
        register(settings(key_file=str(missing)), home=tmp_path)


def test_a_worker_that_runs_is_not_registered_again(tmp_path: Path) -> None:
    lock = places.lock_worker(places.make(tmp_path, "host-a"))
    assert lock >= 0
    with pytest.raises(errors.InUse, match="runs already"):
        register(settings(key="crony_enroll"), home=tmp_path)
