"""Keys, tenants and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from crony.api.render import policy
from crony.api.render.values import Object, duration, instant, plain
from crony.model.state import ScheduleState
from crony.model.worker import Key, Tenant, Usage, WorkerState
from crony.storage.contract import Stats


def key(value: Key) -> Object:
    """Return a key without its secret, which is kept nowhere."""
    return {
        "id": value.id,
        "tenant": value.tenant,
        "role": plain(value.role),
        "description": value.description,
        "prefix": value.prefix,
        "created_at": instant(value.created_at),
        "expires_at": instant(value.expires_at),
        "used_at": instant(value.used_at),
    }


def tenant(value: Tenant, usage: Usage) -> Object:
    """Return a tenant with its bounds and how much of them it uses."""
    return {
        "name": value.name,
        "revision": value.revision,
        "profile": value.profile,
        "max_concurrent": value.max_concurrent,
        "held": value.held,
        "created_at": instant(value.created_at),
        "quotas": {
            "schedules": value.quotas.schedules,
            "workers": value.quotas.workers,
            "pending_runs": value.quotas.pending_runs,
            "requests_per_second": value.quotas.requests_per_second,
        },
        "retention": policy.retention(value.retention),
        "usage": {
            "schedules": usage.schedules,
            "workers": usage.workers,
            "pending_runs": usage.pending_runs,
        },
    }


def stats(value: Stats, *, workers: Mapping[WorkerState, int], now: datetime) -> Object:
    """Return what an autoscaler needs."""
    return {
        "at": instant(now),
        "schedules": {s.value: value.schedules.get(s, 0) for s in ScheduleState},
        "pending": value.pending,
        "leased": value.leased,
        "running": value.running,
        "oldest_lateness": _lateness(value.oldest_due, now),
        "slots": value.slots,
        "slots_used": value.slots_used,
        "workers": {state.value: workers.get(state, 0) for state in WorkerState},
        "queues": [
            {
                "queue": line.queue,
                "pending": line.pending,
                "leased": line.leased,
                "running": line.running,
                "oldest_lateness": _lateness(line.oldest_due, now),
                "slots": line.slots,
            }
            for line in value.queues
        ],
    }


def _lateness(oldest: datetime | None, now: datetime) -> str | None:
    return None if oldest is None else duration(max(now - oldest, now - now))
