"""Workers: what they call, and what people do with them."""

from __future__ import annotations

from crony.api.bodies.schedule import EmptyBody
from crony.api.bodies.worker import (
    LeaseBody,
    RenewalBody,
    ReportBody,
    ReportsBody,
    WorkerBody,
)
from crony.api.routes.route import ENROLL, OPERATE, PAGE, WORK, Route, get

SCHEDULE = "/schedules/{schedule}"

ROUTES: tuple[Route, ...] = (
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
    get(
        "/workers",
        "list_workers",
        "List workers",
        "workers",
        query=PAGE,
        answer="WorkerPage",
    ),
    get("/workers/{worker}", "get_worker", "Read a worker", "workers", answer="Worker"),
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
)
