"""Workers, what they are offered, and what they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from crony import wire
from crony.api.render import policy
from crony.api.render.values import Object, instant, plain
from crony.model.lease import Offer, Renewed, Revoked
from crony.model.task import JsonObject
from crony.model.worker import Worker
from crony.scheduler.workers import WorkerView


def whole(view: WorkerView) -> Object:
    """Return a worker as people read it."""
    worker = view.worker
    return {
        "id": worker.id,
        "tenant": worker.tenant,
        "name": worker.name,
        "machine": worker.machine,
        "state": plain(view.state),
        "queues": list(worker.queues),
        "labels": dict(worker.labels),
        "slots": worker.slots,
        "slots_used": view.slots_used,
        "sandbox_level": worker.sandbox_level,
        "version": worker.version,
        "running": list(view.running),
        "registered_at": instant(worker.registered_at),
        "seen_at": instant(worker.seen_at),
    }


def registered(
    worker: Worker,
    secret: str,
    *,
    lease_ttl: timedelta,
    poll_wait: timedelta,
    lease_ahead: timedelta,
    margin: timedelta,
) -> Object:
    """Return what a worker needs to begin."""
    return {
        "id": worker.id,
        "key": secret,
        "lease_ttl": wire.format_duration(lease_ttl),
        "poll_wait": wire.format_duration(poll_wait),
        "lease_ahead": wire.format_duration(lease_ahead),
        "margin": wire.format_duration(margin),
    }


def offer(value: Offer, *, task: JsonObject, now: datetime) -> Object:
    """Return a lease; its durations count from the answer's receipt."""
    holds = value.run.policy
    return {
        "run": value.run.id,
        "schedule": value.run.schedule,
        "schedule_name": value.run.schedule_name,
        "origin": plain(value.run.origin),
        "attempt": value.attempt,
        "token": value.token,
        "scheduled_for": instant(value.run.scheduled_for),
        "deadline_at": instant(value.run.deadline_at),
        # Negative for what is late already, so that the worker knows how late.
        "start_in": wire.format_duration(value.run.available_at - now),
        "expires_in": wire.format_duration(value.expires_at - now),
        "task": task,
        "limits": {
            "max_runtime": wire.format_duration(holds.max_runtime),
            "grace": wire.format_duration(holds.grace),
            "deadline_in": _until(value.run.deadline_at, now),
            "log": wire.format_size(holds.retention.log),
            "log_part": wire.format_size(holds.retention.log_head),
        },
        "sandbox": policy.sandbox(holds.sandbox),
    }


def _until(instant: datetime | None, now: datetime) -> str | None:
    return None if instant is None else wire.format_duration(instant - now)


def renewed(items: Sequence[Renewed], *, now: datetime) -> list[Object]:
    """Return leases that go on."""
    return [
        {
            "run": item.run,
            "token": item.token,
            "expires_in": wire.format_duration(item.expires_at - now),
        }
        for item in items
    ]


def revoked(items: Sequence[Revoked]) -> list[Object]:
    """Return leases that must be given up."""
    return [
        {"run": item.run, "token": item.token, "reason": item.reason} for item in items
    ]
