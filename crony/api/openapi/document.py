"""The OpenAPI 3.1 document, from routes, bodies and the table of problems."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from crony import __version__
from crony.api import problems
from crony.api.bodies.admin import LIVE_OF_TENANT, TenantBody
from crony.api.bodies.group import LIVE_OF_GROUP, GroupBody
from crony.api.bodies.profile import LIVE_OF_PROFILE, ProfileBody
from crony.api.bodies.schedule import LIVE, ScheduleBody
from crony.api.bodies.task import CommandTask, HttpTask, PythonTask, ScriptTask
from crony.api.bodies.trigger import KINDS as TRIGGERS
from crony.api.bodies.webhook import LIVE_OF_WEBHOOK, WebhookBody
from crony.api.bodies.worker import BatchItem
from crony.api.openapi import parameters
from crony.api.openapi.accounts import ACCOUNTS
from crony.api.openapi.examples import EXAMPLES
from crony.api.openapi.schema import Schema, members, ref
from crony.api.openapi.shapes import ANSWERS, LIVE_OF_SCHEDULE
from crony.api.openapi.shapes import LIVE_OF_PROFILE as PROFILE_AS_READ
from crony.api.routes import ROUTES, Route

#: Problems that any route with a key may answer, and any with a body.
_ALWAYS = (
    "malformed-request",
    "invalid-parameter",
    "not-acceptable",
    "timeout",
    "uri-too-long",
    "headers-too-large",
    "store-unavailable",
    "overloaded",
)
_KEYED = ("no-key", "role", "rate", "not-found")
_BODY = ("malformed-json", "too-large", "unsupported-media-type", "invalid-body")
_CREATES = ("key-in-progress", "key-reused")

_DESCRIPTION = """\
Crony runs what is due, on time, in a sandbox, and accounts for every occurrence.

Instants are RFC 3339, durations strings such as `1h30m`. Errors are problems
(RFC 9457) with all faults of a body at once. Lists go on at `next`. A schedule is
addressed by its id or its name.
"""


@cache
def document() -> bytes:
    """Return the document as JSON; it is the same for everybody."""
    said: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "Crony",
            "version": __version__,
            "summary": "RESTful scheduling as a service",
            "description": _DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(r.tag for r in ROUTES)],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key; its role decides what it may do.",
                }
            },
        },
    }
    return json.dumps(said, ensure_ascii=False).encode()


def _paths() -> Schema:
    paths: dict[str, dict[str, Schema]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return dict(paths)


def _operation(route: Route) -> Schema:
    said: Schema = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.tag],
        "description": f"{route.note} {_for_whom(route)}".strip(),
        "parameters": parameters.of(route),
        "responses": {**_successes(route), **_refusals(route)},
    }
    if not route.roles:
        said["security"] = []
    if route.body is not None:
        said["requestBody"] = {
            "required": not route.body_optional,
            "content": {media: _body(route) for media in _media_of_body(route)},
        }
    if route.takes is not None:
        said["requestBody"] = {
            "required": True,
            "content": {route.takes: {"schema": {"type": "string"}}},
        }
    return said


def _for_whom(route: Route) -> str:
    if not route.roles:
        return "Needs no key."
    roles = ", ".join(f"`{role}`" for role in sorted(r.value for r in route.roles))
    return f"For keys of role {roles}."


def _media_of_body(route: Route) -> list[str]:
    merge = ["application/merge-patch+json"] if _is_patch(route) else []
    return [*merge, "application/json"]


def _is_patch(route: Route) -> bool:
    return route.method == "PATCH" and route.body is ScheduleBody


def _body(route: Route) -> Schema:
    body = route.body
    if body is None:
        raise TypeError("the route has no body")
    name = body.__name__
    if body is ScheduleBody and route.method != "POST":
        name = "SchedulePatch" if route.method == "PATCH" else "ScheduleReplacement"
    if body in _REPLACED:
        name = _replacement_of(body)
    said: Schema = {"schema": ref(name)}
    example = EXAMPLES.get(route.operation)
    if example is not None:
        said["example"] = example
    return said


#: Bodies of a PUT alone, with what a read adds to them.
_REPLACED: dict[type[BaseModel], frozenset[str]] = {
    GroupBody: LIVE_OF_GROUP,
    ProfileBody: LIVE_OF_PROFILE,
    TenantBody: LIVE_OF_TENANT,
    WebhookBody: LIVE_OF_WEBHOOK,
}


def _replacement_of(body: type[BaseModel]) -> str:
    return body.__name__.removesuffix("Body") + "Replacement"


def _successes(route: Route) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for status in (route.status, *route.also):
        said: Schema = {"description": _SAID[status]}
        if status not in (204, 304):
            said["content"] = {media: _answer(route, media) for media in route.media}
        headers = _headers(route, status)
        if headers:
            said["headers"] = headers
        found[str(status)] = said
    return found


_SAID = {
    200: "Done.",
    201: "Made.",
    202: "Taken on.",
    204: "Gone.",
    206: "The range.",
    304: "It has not changed.",
}


def _answer(route: Route, media: str) -> Schema:
    if media != "application/json":
        return {"schema": {"type": "string"}}
    return {"schema": ref(route.answer) if route.answer else {"type": "object"}}


_WITH_ETAG = ("Schedule", "Tenant", "Group", "Profile", "Webhook", "NewWebhook")


def _headers(route: Route, status: int) -> Schema:
    names: list[str] = []
    if status in (201, 202) and route.operation != "put_schedule":
        names.append("Location")
    if route.answer in _WITH_ETAG:
        names.append("ETag")
    if route.answer and route.answer.endswith("Page"):
        names.append("Link")
    if status == 206:
        names.append("Content-Range")
    return {name: {"schema": {"type": "string"}} for name in names}


def _refusals(route: Route) -> dict[str, Schema]:
    """Return the problems of a route, by status."""
    names = list(_ALWAYS)
    if route.roles:
        names += _KEYED
    if route.body is not None:
        names += _BODY
    if route.creates:
        names += _CREATES
    kinds = {kind.name: kind for kind in KINDS}
    by_status: dict[int, list[problems.Kind]] = {}
    for name in dict.fromkeys([*names, *route.problems]):
        by_status.setdefault(kinds[name].status, []).append(kinds[name])
    return {
        str(status): _refusal(status, by_status[status]) for status in sorted(by_status)
    }


def _refusal(status: int, kinds: list[problems.Kind]) -> Schema:
    said: Schema = {
        "description": " · ".join(f"`{kind.name}`: {kind.title}." for kind in kinds),
        "content": {problems.MEDIA_TYPE: {"schema": ref("Problem")}},
    }
    if status in (429, 503):
        said["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    return said


#: Every type of problem once.
KINDS = tuple(
    dict.fromkeys(
        [
            *problems.TABLE.values(),
            problems.NO_METHOD,
            problems.NOT_ACCEPTABLE,
            problems.TOO_LARGE,
            problems.UNSUPPORTED,
            problems.RANGE,
            problems.MALFORMED,
            problems.TIMEOUT,
            problems.LONG_ADDRESS,
            problems.LARGE_HEADERS,
        ]
    )
)


def _schemas() -> Schema:
    models: list[type[BaseModel]] = [
        *dict.fromkeys(route.body for route in ROUTES if route.body is not None),
        CommandTask,
        ScriptTask,
        PythonTask,
        HttpTask,
        BatchItem,
    ]
    _, made = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Schema] = deepcopy(made["$defs"])
    schemas |= ANSWERS | ACCOUNTS
    schedule = schemas["ScheduleBody"]
    schemas["Schedule"] = _schedule(schedule)
    schemas["ScheduleReplacement"] = _replacement(schedule, sorted(LIVE))
    schemas["Profile"] = members(
        **_properties(schemas["ProfileBody"]), **PROFILE_AS_READ
    )
    for body, live in _REPLACED.items():
        # Only in a form of its own is it a body.
        alone = schemas.pop(body.__name__)
        schemas[_replacement_of(body)] = _replacement(alone, sorted(live))
    schemas["SchedulePatch"] = _patch(schedule)
    return dict(schemas)


def _properties(schema: Schema) -> dict[str, Schema]:
    found = schema["properties"]
    if not isinstance(found, dict):
        raise TypeError("not the schema of an object")
    return found


def _schedule(body: Schema) -> Schema:
    """Return what is read: what was written, all of it, and the live part."""
    kinds = TRIGGERS
    written = {k: v for k, v in _properties(body).items() if k not in kinds}
    whole = members(**written, **LIVE_OF_SCHEDULE)
    triggers = {kind: _properties(body)[kind] for kind in kinds}
    return {
        **whole,
        "properties": {**_properties(whole), **triggers},
        "oneOf": [{"required": [kind]} for kind in kinds],
    }


def _replacement(body: Schema, live: list[str]) -> Schema:
    """Return what a PUT takes: the body, with what a read adds to it."""
    ignored: Schema = {"readOnly": True, "description": "Accepted and ignored."}
    return {
        **body,
        "properties": {**_properties(body), **dict.fromkeys(live, ignored)},
    }


def _patch(body: Schema) -> Schema:
    """Return what a merge patch takes: any members, and ``null`` to remove one."""
    properties: Schema = {
        name: {"anyOf": [schema, {"type": "null"}]}
        for name, schema in _properties(body).items()
    }
    # A patch of a task, or of hooks, may hold any part of it.
    properties["task"] = {"type": "object"}
    properties["hooks"] = {"type": ["object", "null"]}
    ignored: Schema = {"readOnly": True, "description": "Accepted and ignored."}
    return {
        "type": "object",
        "description": "Members to change; the result must be a whole schedule.",
        "properties": {**properties, **dict.fromkeys(sorted(LIVE), ignored)},
        "additionalProperties": False,
    }
