"""The schemas of answers: every member is always there."""

from __future__ import annotations

from enum import StrEnum

from crony.api.openapi.schema import (
    ANY,
    COUNT,
    DURATION,
    FLAG,
    INSTANT,
    MAP,
    NAME,
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
from crony.api.openapi.work import WORK
from crony.model.event import TYPES
from crony.model.policy import BUILT_IN, GROUP, PROFILE, SCHEDULE, TENANT, Policy
from crony.model.state import ScheduleState
from crony.model.webhook import DeliveryState
from crony.model.worker import Role, WorkerState
from crony.scheduler.moving import Kind

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
    **WORK,
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
    "Key": KEY,
    "NewKey": with_members(KEY, key=nullable(TEXT)),
    "Tenant": members(
        name=NAME,
        revision=COUNT,
        profile=nullable(NAME),
        max_concurrent=nullable(COUNT),
        held=FLAG,
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
        held_tenants=COUNT,
        cannot_promise=TEXTS,
    ),
    "ImportResults": members(
        results=array(
            members(
                line=COUNT,
                kind=nullable(words(Kind)),
                id=nullable(TEXT),
                outcome={"enum": ["stored", "unchanged", "refused", "read"]},
                problem=nullable(ref("Problem")),
            )
        )
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
