"""The schemas of runs, and of what workers are answered about them."""

from __future__ import annotations

from crony.api.openapi.schema import (
    ANY,
    COUNT,
    DURATION,
    FLAG,
    INSTANT,
    NAME,
    NUMBER,
    OBJECT,
    TEXT,
    TEXTS,
    Schema,
    array,
    identity,
    members,
    nullable,
    page,
    ref,
    with_members,
    words,
)
from crony.api.vocabulary import ATTEMPT_STATES, ORIGINS, REASONS, REVOKED, STATES

RUN_SUMMARY = members(
    id=identity("run"),
    tenant=NAME,
    schedule=identity("sch"),
    schedule_name=nullable(NAME),
    origin=words(ORIGINS),
    parent=nullable(identity("run")),
    scheduled_for=INSTANT,
    due_at=INSTANT,
    range=nullable(members(until=INSTANT, count=COUNT)),
    state=words(STATES),
    reason=nullable(words(REASONS)),
    queue=NAME,
    priority={"type": "integer", "minimum": -100, "maximum": 100},
    deadline_at=nullable(INSTANT),
    created_at=INSTANT,
    started_at=nullable(INSTANT),
    finished_at=nullable(INSTANT),
    lateness=nullable(DURATION),
    duration=nullable(DURATION),
    attempt=COUNT,
    exit_code=nullable({"type": "integer", "minimum": 0, "maximum": 255}),
    signal=nullable(TEXT),
    error=nullable(TEXT),
    progress=nullable(ref("Progress")),
)

ATTEMPT = members(
    attempt=COUNT,
    token=COUNT,
    state=words(ATTEMPT_STATES),
    reason=nullable(words(REASONS)),
    worker=identity("wrk"),
    worker_name=NAME,
    leased_at=INSTANT,
    started_at=nullable(INSTANT),
    finished_at=nullable(INSTANT),
    lateness=nullable(DURATION),
    duration=nullable(DURATION),
    exit_code=nullable({"type": "integer", "minimum": 0, "maximum": 255}),
    signal=nullable(TEXT),
    error=nullable(TEXT),
    counted=FLAG,
    sandbox_level=nullable(TEXT),
    limits=nullable(OBJECT),
    usage=nullable(OBJECT),
    log=members(bytes=COUNT, kept=COUNT, dropped=COUNT),
)

SANDBOX = members(
    level=TEXT,
    network=TEXT,
    memory=TEXT,
    cpu=NUMBER,
    pids=COUNT,
    disk=TEXT,
    ro_paths=TEXTS,
    rw_paths=TEXTS,
    pass_env=TEXTS,
)

REVOCATION = members(
    run=TEXT,
    token=COUNT,
    reason={"enum": list(REVOKED)},
)

RENEWALS = members(
    held=DURATION,
    draining=FLAG,
    renewed=array(members(run=TEXT, token=COUNT, expires_in=DURATION)),
    revoked=array(REVOCATION),
)

LEASE = members(
    run=identity("run"),
    schedule=identity("sch"),
    schedule_name=nullable(NAME),
    origin=words(ORIGINS),
    attempt=COUNT,
    token=COUNT,
    scheduled_for=INSTANT,
    deadline_at=nullable(INSTANT),
    start_in=DURATION,
    expires_in=DURATION,
    task=OBJECT,
    limits=members(
        max_runtime=DURATION,
        grace=DURATION,
        deadline_in=nullable(DURATION),
        log=TEXT,
        log_part=TEXT,
    ),
    sandbox=SANDBOX,
)

REPORTED = members(
    run=TEXT,
    token=COUNT,
    state=nullable(TEXT),
    start_in=nullable(DURATION),
    expires_in=nullable(DURATION),
)

#: By the names that the route table uses.
WORK: dict[str, Schema] = {
    "RunSummary": RUN_SUMMARY,
    "Run": with_members(RUN_SUMMARY, result=ANY, attempts=array(ref("Attempt"))),
    "Attempt": ATTEMPT,
    "Progress": members(
        run=identity("run"),
        attempt=COUNT,
        source=TEXT,
        at=INSTANT,
        percent=nullable(NUMBER),
        message=TEXT,
    ),
    "ErrorEntry": members(
        run=identity("run"),
        attempt=COUNT,
        source=TEXT,
        at=INSTANT,
        reason=nullable(words(REASONS)),
        text=TEXT,
        truncated=FLAG,
    ),
    "RunPage": page("RunSummary"),
    "Lease": LEASE,
    "Leases": with_members(RENEWALS, leases=array(ref("Lease"))),
    "Renewals": RENEWALS,
    "Reported": REPORTED,
    "ReportResults": members(
        results=array(
            {
                "anyOf": [
                    with_members(REPORTED, status={"const": 200}),
                    members(run=nullable(TEXT), status=COUNT, problem=ref("Problem")),
                ]
            }
        )
    ),
}
