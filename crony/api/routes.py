"""Every route of the API, in one table.

From it come the wiring (``app``), the roles (``auth``), the known parameters
(``params``) and the OpenAPI document (``openapi``). ``operation`` is the name of the
method that serves the route, and the client's word for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from crony.api.bodies.admin import KeyBody, TenantBody
from crony.api.bodies.preview import PreviewBody
from crony.api.bodies.schedule import EmptyBody, RunBody, ScheduleBody
from crony.api.bodies.worker import (
    LeaseBody,
    RenewalBody,
    ReportBody,
    ReportsBody,
    WorkerBody,
)
from crony.model.worker import Role

ADMIN = frozenset({Role.ADMIN})
OPERATE = ADMIN | {Role.OPERATOR}
EDIT = OPERATE | {Role.EDITOR}
VIEW = EDIT | {Role.VIEWER}
ENROLL = OPERATE | {Role.ENROLL}
WORK = frozenset({Role.WORKER})
PUBLIC: frozenset[Role] = frozenset()

PAGE = ("limit", "cursor")
RUN_FILTERS = ("state", "since", "until", "worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation: how it is reached, by whom, and with what."""

    method: str
    path: str
    operation: str
    summary: str
    tag: str
    #: Empty: no key is needed.
    roles: frozenset[Role]
    query: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    #: An action may come without a body.
    body_optional: bool = False
    #: Bodies of up to 16 MiB instead of 1 MiB.
    large: bool = False
    #: The status of success, and the name of the answer's schema.
    status: int = 200
    answer: str | None = None
    #: Statuses of success beside ``status``.
    also: tuple[int, ...] = ()
    #: Types of problems beside those that any route may answer.
    problems: tuple[str, ...] = ()
    #: Takes an ``Idempotency-Key``.
    creates: bool = False
    #: Takes ``If-Match``.
    conditional: bool = False
    #: What it answers with, besides problems.
    media: tuple[str, ...] = ("application/json",)
    #: A worker's own calls and probes: too many for the log at info.
    quiet: bool = False


def _get(path: str, operation: str, summary: str, tag: str, **more: object) -> Route:
    values = {"roles": VIEW, **more}
    return Route(
        method="GET",
        path=path,
        operation=operation,
        summary=summary,
        tag=tag,
        **values,  # type: ignore[arg-type]  # the table below is its only caller
    )


SCHEDULE = "/schedules/{schedule}"
TEXT = ("text/plain",)

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/schedules",
        operation="create_schedule",
        summary="Create a schedule",
        tag="schedules",
        roles=EDIT,
        body=ScheduleBody,
        status=201,
        also=(200,),
        answer="Schedule",
        problems=("name-taken", "quota"),
        creates=True,
    ),
    _get(
        "/schedules",
        "list_schedules",
        "List schedules",
        "schedules",
        query=(*PAGE, "queue", "label", "state", "trigger", "q", "failing", "sort"),
        answer="SchedulePage",
    ),
    _get(
        SCHEDULE,
        "get_schedule",
        "Read a schedule",
        "schedules",
        answer="Schedule",
        also=(304,),
    ),
    Route(
        method="PUT",
        path=SCHEDULE,
        operation="put_schedule",
        summary="Replace a schedule, or create it under that name",
        tag="schedules",
        roles=EDIT,
        body=ScheduleBody,
        also=(201,),
        answer="Schedule",
        problems=("name-taken", "revision", "quota"),
        conditional=True,
    ),
    Route(
        method="PATCH",
        path=SCHEDULE,
        operation="patch_schedule",
        summary="Change members of a schedule (RFC 7396)",
        tag="schedules",
        roles=EDIT,
        body=ScheduleBody,
        answer="Schedule",
        problems=("name-taken", "revision"),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path=SCHEDULE,
        operation="delete_schedule",
        summary="Delete a schedule; what was not started never starts",
        tag="schedules",
        roles=EDIT,
        query=("cancel_running",),
        status=204,
        problems=("revision",),
        conditional=True,
    ),
    Route(
        method="POST",
        path=SCHEDULE + "/pause",
        operation="pause_schedule",
        summary="Record what comes due as skipped, until resumed",
        tag="schedules",
        roles=EDIT,
        body=EmptyBody,
        body_optional=True,
        answer="Schedule",
    ),
    Route(
        method="POST",
        path=SCHEDULE + "/resume",
        operation="resume_schedule",
        summary="Go on from now",
        tag="schedules",
        roles=EDIT,
        body=EmptyBody,
        body_optional=True,
        answer="Schedule",
    ),
    Route(
        method="POST",
        path=SCHEDULE + "/run",
        operation="run_schedule",
        summary="Run a schedule now",
        tag="schedules",
        roles=EDIT,
        body=RunBody,
        body_optional=True,
        status=202,
        answer="RunSummary",
        problems=("quota",),
        creates=True,
    ),
    _get(
        SCHEDULE + "/upcoming",
        "upcoming",
        "The next instants of a schedule",
        "schedules",
        query=("count",),
        answer="Upcoming",
    ),
    Route(
        method="POST",
        path="/preview",
        operation="preview",
        summary="Describe a trigger and its next instants; nothing is saved",
        tag="schedules",
        roles=VIEW,
        body=PreviewBody,
        answer="Preview",
    ),
    _get(
        SCHEDULE + "/runs",
        "list_schedule_runs",
        "The runs of a schedule, newest first",
        "runs",
        query=(*PAGE, *RUN_FILTERS),
        answer="RunPage",
    ),
    _get(
        SCHEDULE + "/runs/{run}",
        "get_schedule_run",
        "Read a run of a schedule",
        "runs",
        answer="Run",
    ),
    Route(
        method="PATCH",
        path=SCHEDULE + "/runs/{run}",
        operation="report",
        summary="Report about a run: a worker's confirm, news or end of it",
        tag="workers",
        roles=WORK,
        body=ReportBody,
        answer="Reported",
        problems=("stale-token", "run-over"),
        quiet=True,
    ),
    _get(
        "/runs",
        "list_runs",
        "All runs, newest first",
        "runs",
        query=(*PAGE, *RUN_FILTERS),
        answer="RunPage",
    ),
    _get("/runs/{run}", "get_run", "Read a run", "runs", answer="Run"),
    _get(
        "/runs/{run}/log",
        "get_log",
        "The output of an attempt",
        "runs",
        query=("attempt", "follow"),
        also=(206,),
        problems=("range",),
        media=("text/plain", "text/event-stream"),
    ),
    Route(
        method="POST",
        path="/runs/{run}/cancel",
        operation="cancel_run",
        summary="Stop a run, or keep it from starting",
        tag="runs",
        roles=EDIT,
        body=EmptyBody,
        body_optional=True,
        answer="Run",
        problems=("run-over",),
    ),
    Route(
        method="POST",
        path="/runs/{run}/retry",
        operation="retry_run",
        summary="Make a new run that repeats this one",
        tag="runs",
        roles=EDIT,
        body=EmptyBody,
        body_optional=True,
        status=202,
        answer="RunSummary",
        problems=("conflict", "quota"),
        creates=True,
    ),
    Route(
        method="POST",
        path="/workers",
        operation="register_worker",
        summary="Register a worker; the same name and machine is the same worker",
        tag="workers",
        roles=ENROLL,
        body=WorkerBody,
        status=201,
        answer="Registration",
        problems=("name-taken", "quota"),
        creates=True,
    ),
    _get(
        "/workers",
        "list_workers",
        "List workers",
        "workers",
        query=PAGE,
        answer="WorkerPage",
    ),
    _get(
        "/workers/{worker}", "get_worker", "Read a worker", "workers", answer="Worker"
    ),
    Route(
        method="DELETE",
        path="/workers/{worker}",
        operation="delete_worker",
        summary="Forget a worker; its key no longer works",
        tag="workers",
        roles=OPERATE,
        status=204,
    ),
    Route(
        method="POST",
        path="/workers/{worker}/drain",
        operation="drain_worker",
        summary="Let a worker finish what it has, and give it nothing new",
        tag="workers",
        roles=OPERATE,
        body=EmptyBody,
        body_optional=True,
        answer="Worker",
    ),
    Route(
        method="POST",
        path="/workers/{worker}/leases",
        operation="lease",
        summary="Wait for runs, and renew what is held",
        tag="workers",
        roles=WORK,
        body=LeaseBody,
        answer="Leases",
        problems=("stale-token",),
        quiet=True,
    ),
    Route(
        method="POST",
        path="/workers/{worker}/renewals",
        operation="renew",
        summary="Renew what is held",
        tag="workers",
        roles=WORK,
        body=RenewalBody,
        answer="Renewals",
        problems=("stale-token",),
        quiet=True,
    ),
    Route(
        method="POST",
        path="/reports",
        operation="reports",
        summary="Report about up to 1,000 runs; one result each, in order",
        tag="workers",
        roles=WORK,
        body=ReportsBody,
        large=True,
        answer="ReportResults",
        quiet=True,
    ),
    _get(
        "/keys",
        "list_keys",
        "List keys",
        "keys",
        roles=OPERATE,
        query=PAGE,
        answer="KeyPage",
    ),
    Route(
        method="POST",
        path="/keys",
        operation="create_key",
        summary="Make a key; its secret is shown this once",
        tag="keys",
        roles=OPERATE,
        body=KeyBody,
        status=201,
        answer="NewKey",
        creates=True,
    ),
    _get("/keys/{key}", "get_key", "Read a key", "keys", roles=OPERATE, answer="Key"),
    Route(
        method="DELETE",
        path="/keys/{key}",
        operation="delete_key",
        summary="Make a key stop working",
        tag="keys",
        roles=OPERATE,
        status=204,
    ),
    _get(
        "/tenants/{tenant}",
        "get_tenant",
        "Read a tenant",
        "tenants",
        answer="Tenant",
        also=(304,),
    ),
    Route(
        method="PUT",
        path="/tenants/{tenant}",
        operation="put_tenant",
        summary="Set a tenant's quotas; an admin may create it",
        tag="tenants",
        roles=OPERATE,
        body=TenantBody,
        also=(201,),
        answer="Tenant",
        problems=("revision",),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path="/tenants/{tenant}",
        operation="delete_tenant",
        summary="Remove a tenant that has nothing left",
        tag="tenants",
        roles=ADMIN,
        status=204,
        problems=("in-use", "revision"),
        conditional=True,
    ),
    _get(
        "/stats",
        "stats",
        "Numbers for people and autoscalers",
        "operations",
        answer="Stats",
    ),
    _get(
        "/metrics",
        "metrics",
        "Numbers for Prometheus",
        "operations",
        media=TEXT,
        quiet=True,
    ),
    _get(
        "/health/live",
        "live",
        "Whether the service runs",
        "operations",
        roles=PUBLIC,
        answer="Health",
        quiet=True,
    ),
    _get(
        "/health/ready",
        "ready",
        "Whether the store answers",
        "operations",
        roles=PUBLIC,
        answer="Readiness",
        quiet=True,
    ),
    _get(
        "/openapi.json",
        "openapi",
        "This description",
        "operations",
        roles=PUBLIC,
        quiet=True,
    ),
)

#: By method and path, as Falcon finds them.
BY_PLACE = {(route.method, route.path): route for route in ROUTES}
