"""Registering this host, and the credentials that come of it."""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

from crony import __version__, errors, log
from crony.client import Client
from crony.config import ADMIN_KEY, Settings
from crony.model.task import JsonObject
from crony.worker import places, reading
from crony.worker.identity import machine, own_labels
from crony.worker.sandbox import Operator, open_sandbox

_log = log.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a registered worker needs to work; ``key`` is a secret.

    Queues, labels and slots are those of the registration: the service knows them.
    """

    id: str
    name: str
    key: str
    api_url: str
    slots: int
    sandbox_level: str
    lease_ttl: timedelta
    poll_wait: timedelta

    def __repr__(self) -> str:
        return f"Credentials(id={self.id!r}, name={self.name!r})"


def operator_of(settings: Settings, *, home: Path) -> Operator:
    """Return what the operator allows tasks on this host."""
    worker = settings.worker
    return Operator(
        state_dir=places.directory(home, worker.name) / "sandbox",
        allow_network_host=worker.allow_network_host,
        allowed_ro=worker.ro_paths,
        allowed_rw=worker.rw_paths,
        task_uids=worker.task_uids,
        python=interpreter_of(settings),
    )


def interpreter_of(settings: Settings) -> str:
    """Return the interpreter of python tasks: by default the worker's own."""
    return settings.worker.python or sys.executable


def level_of(settings: Settings) -> str | None:
    """Return the level that was asked for; ``None`` for the best there is."""
    level = settings.worker.sandbox_level
    return None if level == "auto" else level


def register(settings: Settings, *, home: Path) -> Credentials:
    """Prove the sandbox, register this host, and keep the credentials."""
    key = registration_key(settings, home=home)
    # Registering again makes the old key worthless, also to a worker that runs.
    lock = places.lock_worker(places.make(home, settings.worker.name))
    try:
        sandbox = open_sandbox(level_of(settings), operator_of(settings, home=home))
        level = sandbox.level
        sandbox.close()
        return enroll(settings, key=key, sandbox_level=level, home=home)
    finally:
        os.close(lock)


def enroll(
    settings: Settings, *, key: str, sandbox_level: str, home: Path
) -> Credentials:
    """Register this host with a level that was proven; the worker's lock is held."""
    worker = settings.worker
    body: dict[str, object] = {
        "name": worker.name,
        "machine": machine(),
        "queues": list(worker.queues),
        "labels": {**own_labels(sandbox_level), **worker.labels},
        "slots": worker.slots,
        "sandbox_level": sandbox_level,
        "version": __version__,
    }
    with closing(Client(worker.api_url, key=key)) as client:
        answer = client.register_worker(body)
    kept = {
        **answer,
        "name": worker.name,
        "api_url": worker.api_url,
        "slots": worker.slots,
        "sandbox_level": sandbox_level,
    }
    credentials = _parsed(kept)
    text = json.dumps(kept, indent=2)
    places.write(places.credentials(home, worker.name), f"{text}\n")
    _log.info("worker registered", worker=credentials.id, sandbox=sandbox_level)
    return credentials


def load_credentials(settings: Settings, *, home: Path) -> Credentials:
    """Return the credentials of a worker that was registered before."""
    path = places.credentials(home, settings.worker.name)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        found = json.loads(path.read_bytes())
    except FileNotFoundError as exc:
        raise errors.Unauthenticated(
            f'no worker "{settings.worker.name}" was registered on this machine; '
            "run: crony-worker register"
        ) from exc
    except (OSError, ValueError) as exc:
        raise _damaged(path) from exc
    if mode & 0o077:
        raise errors.MissingSafeguard(
            f"{path} holds a key, and others may read it; run: chmod 600 {path}"
        )
    if not isinstance(found, dict):
        raise _damaged(path)
    try:
        return _parsed(cast(JsonObject, found))
    except ValueError as exc:
        raise _damaged(path) from exc


def _damaged(path: Path) -> errors.InvalidSetting:
    return errors.InvalidSetting(
        str(path), "credentials", "can't be read; register again: crony-worker register"
    )


def _parsed(found: JsonObject) -> Credentials:
    return Credentials(
        id=reading.text(found, "id"),
        name=reading.text(found, "name"),
        key=reading.text(found, "key"),
        api_url=reading.text(found, "api_url"),
        slots=reading.integer(found, "slots"),
        sandbox_level=reading.text(found, "sandbox_level"),
        lease_ttl=reading.duration(found, "lease_ttl"),
        poll_wait=reading.duration(found, "poll_wait"),
    )


def registration_key(settings: Settings, *, home: Path) -> str:
    """Return the key to register with; on the service's own machine its admin's."""
    worker = settings.worker
    if worker.key is not None:
        return worker.key
    if worker.key_file == "-":
        return sys.stdin.readline()
    path = Path(worker.key_file) if worker.key_file else home / ADMIN_KEY
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        if worker.key_file:
            raise errors.InvalidSetting(
                "worker", "key_file", f"{path} can't be read"
            ) from exc
        raise errors.Unauthenticated(
            "there is no key to register with; name a file that holds one with "
            "--key-file (an operator makes one of the role enroll: crony keys add)"
        ) from exc
