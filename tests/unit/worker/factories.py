"""Leases for tests, as an answer of the service would give them."""

from datetime import timedelta

from crony.model.task import Json
from crony.worker.lease import Exchange, Lease, parse

ZERO = timedelta(0)


def seconds(number: float) -> timedelta:
    """Return a length of time."""
    return timedelta(seconds=number)


def body(**changes: Json) -> dict[str, Json]:
    """Return a lease as it stands in an answer."""
    made: dict[str, Json] = {
        "run": "run_1",
        "schedule": "sch_1",
        "schedule_name": "nightly",
        "origin": "schedule",
        "attempt": 1,
        "token": 7,
        "scheduled_for": "2026-11-20T01:30:00.000Z",
        "deadline_at": None,
        "start_in": "1s",
        "expires_in": "61s",
        "task": {"command": ["true"], "env": {}, "stdin": "", "workdir": None},
        "limits": {
            "max_runtime": "1h",
            "grace": "10s",
            "deadline_in": None,
            "log": "1M",
            "log_part": "64K",
        },
        "sandbox": {
            "level": "namespaces",
            "network": "none",
            "memory": "512M",
            "cpu": 1.0,
            "pids": 256,
            "disk": "256M",
            "ro_paths": [],
            "rw_paths": [],
            "pass_env": [],
        },
    }
    return made | changes


def limits(**changes: Json) -> dict[str, Json]:
    """Return the limits of a lease."""
    usual = body()["limits"]
    assert isinstance(usual, dict)
    return usual | changes


def lease(*, exchange: Exchange | None = None, **changes: Json) -> Lease:
    """Return a lease; by default one answered at instant zero without delay."""
    return parse(body(**changes), exchange or Exchange(ZERO, ZERO, ZERO))
