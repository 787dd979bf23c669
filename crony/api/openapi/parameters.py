"""Parameters in paths, queries and headers."""

from __future__ import annotations

import re

from crony.api import auth, once
from crony.api.bodies.trigger import KINDS
from crony.api.openapi.schema import Schema, identity, words
from crony.api.params import DEFAULT_LIMIT, LIMIT
from crony.api.resources.actions import COUNT
from crony.api.resources.schedules import SORTS
from crony.api.routes import Route
from crony.api.vocabulary import STATES
from crony.model.event import FILTERS
from crony.model.state import ScheduleState
from crony.scheduler.moving import Kind

_TEXT: Schema = {"type": "string", "maxLength": 512}
_FLAG: Schema = {"type": "string", "enum": ["true", "false"]}
_INSTANT: Schema = {
    "type": "string",
    "format": "date-time",
    "examples": ["2026-11-20T22:00:00.000Z"],
}
_TYPES = "|".join(re.escape(each) for each in FILTERS)
_EVENT_ID: Schema = identity("evt")
_STATES = "|".join(state.value for state in STATES)

#: In queries: what it means, and its schema; ``state`` differs by route.
QUERY: dict[str, tuple[str, Schema]] = {
    "limit": (
        "How many items a page has at most.",
        {
            "type": "integer",
            "minimum": LIMIT[0],
            "maximum": LIMIT[-1],
            "default": DEFAULT_LIMIT,
        },
    ),
    "cursor": ("Where the list goes on: `next` of the page before.", _TEXT),
    "group": ("Of this group.", _TEXT),
    "queue": ("Of this queue.", _TEXT),
    "label": (
        "With this label: `key:value`.",
        {"type": "string", "pattern": "^[^:]+:", "examples": ["team:data"]},
    ),
    "trigger": ("With this kind of trigger.", {"type": "string", "enum": list(KINDS)}),
    "q": ("With this text in the name, in whatever case.", _TEXT),
    "failing": ("Whose newest run that ended did not succeed.", _FLAG),
    "sort": (
        "In this order.",
        {"type": "string", "enum": list(SORTS), "default": "created_at"},
    ),
    "since": ("Due at or after this instant.", _INSTANT),
    "until": ("Due before this instant.", _INSTANT),
    "worker": ("That this worker, by id or name, was given.", _TEXT),
    "cancel_running": ("Stop what is running too.", {**_FLAG, "default": "false"}),
    "count": (
        "How many instants.",
        {
            "type": "integer",
            "minimum": COUNT[0],
            "maximum": COUNT[-1],
            "default": 10,
        },
    ),
    "types": (
        "Of these types, with commas between them; `run.*` is all of runs.",
        {
            "type": "string",
            "pattern": f"^({_TYPES})(, *({_TYPES}))*$",
            "examples": ["run.failed,worker.*"],
        },
    ),
    "schedule": ("Of this schedule, by id or name, and its runs.", _TEXT),
    "after": ("After this event: an `id`, or `next` of the page before.", _EVENT_ID),
    "all": ("Of all tenants (admins).", {**_FLAG, "default": "false"}),
    "secrets": ("With the secrets of webhooks.", {**_FLAG, "default": "false"}),
    "behind": (
        "Only what lies behind this line: `tenant/kind/id`.",
        {
            "type": "string",
            "pattern": f"^[a-z0-9._-]+/({'|'.join(Kind)})/[A-Za-z0-9._-]*$",
            "examples": ["default/schedule/sch_01KAH1M8V7QZ3W5X9Y2C4D6E8F"],
        },
    ),
    "from": ("From this instant on.", _INSTANT),
    "to": ("Up to this instant, exclusive.", _INSTANT),
    "at": ("About the occurrence at this instant.", _INSTANT),
    "attempt": (
        "Of this attempt; at default the newest.",
        {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
    ),
    "follow": ("Go on until the run has ended.", {**_FLAG, "default": "false"}),
}
STATE: dict[str, tuple[str, Schema]] = {
    "list_schedules": ("In this state.", words(ScheduleState)),
    "list_tasks": ("In this state.", words(ScheduleState)),
    "runs": (
        "In one of these states, with commas between them.",
        {
            "type": "string",
            "pattern": f"^({_STATES})(,({_STATES}))*$",
            "examples": ["failed,timed_out"],
        },
    ),
}
PATH = {
    "schedule": "A schedule's id or name.",
    "run": "A run's id.",
    "worker": "A worker's id, or, for people, its name.",
    "key": "A key's id.",
    "tenant": "A tenant's name.",
    "group": "A group's name.",
    "profile": "A profile's name.",
    "webhook": "A webhook's name.",
    "event": "An event's id.",
}
_ETAGS: Schema = {
    "type": "string",
    "pattern": r'^(\*|"[0-9]+"(, *"[0-9]+")*)$',
    "examples": ['"3"'],
}


def of(route: Route) -> list[Schema]:
    """Return every parameter that a route takes."""
    return [*_in_path(route), *_in_query(route), *_in_headers(route)]


def _said_of(name: str, route: Route) -> str:
    # One place in the path must have one name in all routes.
    of_group = name == "schedule" and route.path.endswith("/tasks")
    return PATH["group" if of_group else name]


def _in_path(route: Route) -> list[Schema]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _said_of(name, route),
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _in_query(route: Route) -> list[Schema]:
    found: list[Schema] = []
    for name in route.query:
        if name == "state":
            said, schema = STATE.get(route.operation, STATE["runs"])
        else:
            said, schema = QUERY[name]
        found.append(
            {"name": name, "in": "query", "description": said, "schema": schema}
        )
    return found


def _in_headers(route: Route) -> list[Schema]:
    found: list[Schema] = []
    if route.roles:
        found.append(
            _header(auth.TENANT_HEADER, "The tenant that an admin works in.", _TEXT)
        )
    if route.conditional:
        found.append(_header("If-Match", "Only at this revision.", _ETAGS))
    if route.method == "PUT":
        found.append(
            _header(
                "If-None-Match", "Only to create.", {"type": "string", "const": "*"}
            )
        )
    if 304 in route.also:
        found.append(_header("If-None-Match", "Only if it has changed.", _ETAGS))
    if route.creates:
        found.append(
            _header(
                once.HEADER,
                "The same key and body within 24 h are answered as the first time.",
                {"type": "string", "pattern": "^[!-~]{1,255}$"},
            )
        )
    if "text/event-stream" in route.media and "after" in route.query:
        found.append(_header("Last-Event-ID", "Go on after this event.", _EVENT_ID))
    if 206 in route.also:
        found.append(
            _header(
                "Range",
                "One range of bytes.",
                {"type": "string", "examples": ["bytes=0-1023"]},
            )
        )
    return found


def _header(name: str, said: str, schema: Schema) -> Schema:
    return {"name": name, "in": "header", "description": said, "schema": schema}
