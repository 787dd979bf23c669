"""The schemas of answers: every member is always there."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from crony.api.bodies.fields import NAME_PATTERN
from crony.api.vocabulary import ATTEMPT_STATES, ORIGINS, REASONS, REVOKED, STATES
from crony.model.event import TYPES
from crony.model.policy import BUILT_IN, GROUP, PROFILE, SCHEDULE, TENANT, Policy
from crony.model.state import ScheduleState
from crony.model.task import Json
from crony.model.webhook import DeliveryState
from crony.model.worker import Role, WorkerState

Schema = dict[str, Json]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
ANY: Schema = {}
OBJECT: Schema = {"type": "object"}
TEXTS: Schema = {"type": "array", "items": TEXT}
MAP: Schema = {"type": "object", "additionalProperties": TEXT}
INSTANT: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
    "examples": ["2026-11-20T22:00:00.000Z"],
}
DURATION: Schema = {
    "type": "string",
    "pattern": r"^-?(\d+(\.\d+)?(d|h|m|s))+$",
    "examples": ["1h30m"],
}
NAME: Schema = {"type": "string", "pattern": NAME_PATTERN}


def identity(prefix: str) -> Schema:
    """Return an id's schema."""
    return {"type": "string", "pattern": f"^{prefix}_[0-9A-HJKMNP-TV-Z]{{26}}$"}


def ref(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """Return the schema, or ``null``."""
    return {"anyOf": [schema, {"type": "null"}]}


def words(kind: Iterable[StrEnum]) -> Schema:
    """Return the words of an enum, or some of them."""
    return {"type": "string", "enum": [member.value for member in kind]}


def array(items: Schema) -> Schema:
    """Return a list's schema."""
    return {"type": "array", "items": items}


def members(**properties: Schema) -> Schema:
    """Return an object with exactly these members."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def with_members(schema: Schema, **properties: Schema) -> Schema:
    """Return an object's schema with more members."""
    known = schema["properties"]
    if not isinstance(known, dict):
        raise TypeError("not the schema of an object")
    return members(**known, **properties)


def page(item: str) -> Schema:
    """Return the schema of one page of a list."""
    return members(items=array(ref(item)), next=nullable(TEXT))


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

_FROM: dict[str, Schema] = {
    "from": {"enum": [SCHEDULE, PROFILE, GROUP, TENANT, BUILT_IN]}
}

POLICY = members(
    **{name: members(value=ANY, **_FROM) for name in Policy.__dataclass_fields__}
)

KEY = members(
    id=identity("key"),
    tenant=NAME,
    role=words(Role),
    description=TEXT,
    prefix=TEXT,
    created_at=INSTANT,
    expires_at=nullable(INSTANT),
    used_at=nullable(INSTANT),
)

UPCOMING_ITEMS = array(
    members(at=INSTANT, local=TEXT, note=nullable({"enum": ["shifted", "repeated"]}))
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

QUEUE = members(
    queue=NAME,
    pending=COUNT,
    leased=COUNT,
    running=COUNT,
    oldest_lateness=nullable(DURATION),
    slots=COUNT,
)


def _by(kind: type[StrEnum]) -> Schema:
    return members(**{member.value: COUNT for member in kind})


#: A worker that is gone has none.
_WORKER_STATES = (*(state.value for state in WorkerState), "deleted")

EVENT = members(
    specversion={"const": "1.0"},
    id=identity("evt"),
    source={"type": "string", "pattern": "^urn:crony:tenant:"},
    type={"type": "string", "enum": list(TYPES)},
    subject=TEXT,
    time=INSTANT,
    datacontenttype={"const": "application/json"},
    data={
        "anyOf": [
            ref("RunSummary"),
            members(id=identity("sch"), name=nullable(NAME), revision=COUNT),
            members(id=identity("wrk"), name=NAME, state={"enum": [*_WORKER_STATES]}),
        ]
    },
)

WEBHOOK = members(
    name=NAME,
    tenant=NAME,
    revision=COUNT,
    url=TEXT,
    types=TEXTS,
    description=TEXT,
    paused=FLAG,
    created_at=INSTANT,
    updated_at=INSTANT,
)

#: By the names that the route table uses.
ANSWERS: dict[str, Schema] = {
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
    "SchedulePage": page("Schedule"),
    "BatchResults": members(
        results=array(
            {
                "anyOf": [
                    members(status={"enum": [200, 201]}, schedule=ref("Schedule")),
                    members(status=COUNT, problem=ref("Problem")),
                ]
            }
        )
    ),
    "GroupPage": page("Group"),
    "Group": members(
        name=NAME,
        tenant=NAME,
        revision=COUNT,
        description=TEXT,
        profile=nullable(NAME),
        max_concurrent=nullable(COUNT),
        paused=FLAG,
        schedules=COUNT,
        created_at=INSTANT,
        updated_at=INSTANT,
    ),
    "ProfilePage": page("Profile"),
    "RunPage": page("RunSummary"),
    "WorkerPage": page("Worker"),
    "KeyPage": page("Key"),
    "Upcoming": members(items=UPCOMING_ITEMS),
    "Preview": members(description=TEXT, upcoming=UPCOMING_ITEMS),
    "Worker": members(
        id=identity("wrk"),
        tenant=NAME,
        name=NAME,
        machine=TEXT,
        state=words(WorkerState),
        queues=array(NAME),
        labels=MAP,
        slots=COUNT,
        slots_used=COUNT,
        sandbox_level=TEXT,
        version=TEXT,
        running=array(identity("run")),
        registered_at=INSTANT,
        seen_at=INSTANT,
    ),
    "Registration": members(
        id=identity("wrk"),
        key=nullable(TEXT),
        lease_ttl=DURATION,
        poll_wait=DURATION,
        lease_ahead=DURATION,
        margin=DURATION,
    ),
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
    "Key": KEY,
    "NewKey": with_members(KEY, key=nullable(TEXT)),
    "Tenant": members(
        name=NAME,
        revision=COUNT,
        profile=nullable(NAME),
        max_concurrent=nullable(COUNT),
        created_at=INSTANT,
        quotas=members(
            schedules=nullable(COUNT),
            workers=nullable(COUNT),
            pending_runs=nullable(COUNT),
            requests_per_second=nullable(COUNT),
        ),
        retention=members(
            runs=nullable(COUNT), age=nullable(DURATION), log=nullable(TEXT)
        ),
        usage=members(schedules=COUNT, workers=COUNT, pending_runs=COUNT),
    ),
    "Event": EVENT,
    "Events": members(items=array(ref("Event")), next=identity("evt")),
    "Webhook": WEBHOOK,
    "NewWebhook": with_members(WEBHOOK, secret=nullable(TEXT)),
    "WebhookPage": page("Webhook"),
    "Delivery": members(
        event=identity("evt"),
        type=TEXT,
        subject=TEXT,
        state=words(DeliveryState),
        tries=COUNT,
        next_at=nullable(INSTANT),
        status=nullable(COUNT),
        error=nullable(TEXT),
        created_at=INSTANT,
        finished_at=nullable(INSTANT),
    ),
    "DeliveryPage": page("Delivery"),
    "Stats": members(
        at=INSTANT,
        schedules=_by(ScheduleState),
        pending=COUNT,
        leased=COUNT,
        running=COUNT,
        oldest_lateness=nullable(DURATION),
        slots=COUNT,
        slots_used=COUNT,
        workers=_by(WorkerState),
        queues=array(QUEUE),
    ),
    "Health": members(status={"const": "live"}),
    "Readiness": members(
        status={"const": "ready"},
        ticking=FLAG,
        detail=nullable(TEXT),
        cannot_promise=TEXTS,
    ),
    "Problem": {
        "type": "object",
        "properties": {
            "type": {"type": "string", "pattern": "^urn:crony:problem:[a-z-]+$"},
            "title": TEXT,
            "status": COUNT,
            "detail": TEXT,
            "instance": {"type": "string", "pattern": "^urn:crony:request:"},
            "errors": array(
                {
                    "type": "object",
                    "properties": {
                        "pointer": TEXT,
                        "parameter": TEXT,
                        "detail": TEXT,
                    },
                    "required": ["detail"],
                    "additionalProperties": False,
                }
            ),
        },
        "required": ["type", "title", "status", "detail"],
        "additionalProperties": False,
    },
}

#: The live part of a schedule, which only reads have.
LIVE_OF_SCHEDULE: dict[str, Schema] = {
    "id": identity("sch"),
    "tenant": NAME,
    "revision": COUNT,
    "policy": POLICY,
    "state": words(ScheduleState),
    "trigger_description": TEXT,
    "created_at": INSTANT,
    "updated_at": INSTANT,
    "next_run_at": nullable(INSTANT),
    "last_run": nullable(ref("RunSummary")),
    "recent_runs": array(ref("RunSummary")),
    "errors": array(ref("ErrorEntry")),
    "progress": array(ref("Progress")),
    "warnings": array(members(code=TEXT, detail=TEXT)),
}

#: What only reads have of a profile.
LIVE_OF_PROFILE: dict[str, Schema] = {
    "name": NAME,
    "tenant": NAME,
    "revision": COUNT,
    "used_by": members(schedules=COUNT, groups=COUNT, tenants=COUNT),
    "created_at": INSTANT,
    "updated_at": INSTANT,
}
