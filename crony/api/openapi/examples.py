"""One example of a body for each operation that needs one."""

from __future__ import annotations

from crony.model.task import Json

_SCHEDULE: dict[str, Json] = {
    "name": "nightly-report",
    "cron": "30 2 * * 1-5",
    "timezone": "Europe/Berlin",
    "task": {"command": ["python3", "report.py", "--day", "yesterday"]},
    "max_runtime": "1h",
    "retries": {"max": 2},
}
_REPORT: dict[str, Json] = {
    "token": 7,
    "state": "failed",
    "reason": "exit",
    "exit_code": 2,
    "error": "exit code 2",
    "lateness": "0.0012s",
    "duration": "2.041s",
}
_RUN = "run_6ZK3M8W1Q5T7V9X2Y4A6B8C0D1"

#: By operation.
EXAMPLES: dict[str, Json] = {
    "create_schedule": _SCHEDULE,
    "put_schedule": _SCHEDULE,
    "patch_schedule": {"cron": "0 3 * * 1-5", "retries": None},
    "batch_schedules": {"schedules": [_SCHEDULE]},
    "create_task": _SCHEDULE,
    "resume_schedule": {"misfire": "latest"},
    "resume_group": {"misfire": "latest"},
    "put_group": {"description": "Reports", "profile": "heavy", "max_concurrent": 4},
    "put_profile": {
        "description": "Long and large",
        "max_runtime": "6h",
        "retries": {"max": 2},
        "sandbox": {"memory": "4G"},
    },
    "backfill_schedule": {
        "from": "2026-11-01T00:00:00Z",
        "to": "2026-11-08T00:00:00Z",
        "dry_run": True,
    },
    "run_schedule": {"task": {"env": {"LEVEL": "debug"}}},
    "preview": {"cron": "0 9 * * 1-5", "timezone": "Europe/Berlin", "count": 3},
    "register_worker": {
        "name": "host-a",
        "machine": "3fa9c2d1e5b64780",
        "queues": ["default"],
        "labels": {"os": "linux"},
        "slots": 4,
        "sandbox_level": "full",
        "version": "1.0.0",
    },
    "lease": {
        "session": "5b1f",
        "seq": 17,
        "slots": 4,
        "wait": "20s",
        "holding": [{"run": _RUN, "token": 7}],
    },
    "renew": {"session": "5b1f", "holding": [{"run": _RUN, "token": 7}]},
    "report": _REPORT,
    "reports": {"reports": [{"run": _RUN, **_REPORT}]},
    "create_key": {"role": "editor", "description": "ci"},
    "put_webhook": {
        "url": "https://example.org/hook",
        "types": ["run.failed", "worker.*"],
        "description": "The team's alarm",
    },
    "put_tenant": {
        "retention": {"runs": 1000, "age": "30d"},
        "quotas": {"schedules": 1000, "requests_per_second": 50},
    },
}
