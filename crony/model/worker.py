"""Workers, keys and tenants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from crony.model.policy import RetentionSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A registered worker.

    ``session`` and ``sequence`` are those of its newest poll; ``seen_at`` is when
    it last polled or renewed.
    """

    id: str
    tenant: str
    name: str
    #: SHA-256 of the host's machine id.
    machine: str
    queues: tuple[str, ...]
    labels: Mapping[str, str]
    slots: int
    sandbox_level: str
    version: str
    draining: bool = False
    session: str | None = None
    sequence: int = 0
    registered_at: datetime
    seen_at: datetime


class WorkerState(StrEnum):
    """``lost``: not seen for one lease time."""

    ONLINE = "online"
    DRAINING = "draining"
    LOST = "lost"


def worker_state(worker: Worker, *, now: datetime, lease_ttl: timedelta) -> WorkerState:
    """Return how the worker stands, which follows from when it was seen."""
    if now - worker.seen_at > lease_ttl:
        return WorkerState.LOST
    return WorkerState.DRAINING if worker.draining else WorkerState.ONLINE


class Role(StrEnum):
    """What a key may do."""

    ADMIN = "admin"
    OPERATOR = "operator"
    EDITOR = "editor"
    VIEWER = "viewer"
    ENROLL = "enroll"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key, without the secret: the store has only its SHA-256, in hex."""

    id: str
    tenant: str
    role: Role
    #: The worker it belongs to, for the role ``worker`` only.
    worker: str | None
    description: str
    #: The first characters, to recognise it by.
    prefix: str
    digest: str
    created_at: datetime
    expires_at: datetime | None
    #: Kept to the minute.
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Bounds of a tenant; ``None`` is none."""

    schedules: int | None = 100_000
    workers: int | None = 1_000
    pending_runs: int | None = 1_000_000
    requests_per_second: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A namespace with its own schedules, keys and quotas."""

    name: str
    revision: int
    quotas: Quotas
    #: The profile that holds where neither schedule nor group says otherwise.
    profile: str | None = None
    #: How many of its runs may be in workers' hands at once.
    max_concurrent: int | None = None
    #: Nothing of it comes due or is leased: what moves in waits for its activation.
    held: bool = False
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of its quotas a tenant uses."""

    schedules: int
    workers: int
    pending_runs: int
