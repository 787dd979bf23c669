"""Runs and their output."""

from __future__ import annotations

from crony.api.bodies.schedule import EmptyBody
from crony.api.routes.route import EDIT, PAGE, RUN_FILTERS, Route, get

SCHEDULE = "/schedules/{schedule}"

ROUTES: tuple[Route, ...] = (
    get(
        SCHEDULE + "/runs",
        "list_schedule_runs",
        "The runs of a schedule, newest first",
        "runs",
        query=(*PAGE, *RUN_FILTERS),
        answer="RunPage",
    ),
    get(
        SCHEDULE + "/runs/{run}",
        "get_schedule_run",
        "Read a run of a schedule",
        "runs",
        answer="Run",
    ),
    get(
        "/runs",
        "list_runs",
        "All runs, newest first",
        "runs",
        query=(*PAGE, *RUN_FILTERS),
        answer="RunPage",
    ),
    get("/runs/{run}", "get_run", "Read a run", "runs", answer="Run"),
    get(
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
)
