"""The application: resources, routes and middleware, wired on one screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import falcon.asgi

from crony import log
from crony.api.middleware import Door, handle
from crony.api.node import Node
from crony.api.request import Request, canonical, new_number
from crony.api.resources.actions import Actions
from crony.api.resources.backfill import Backfill
from crony.api.resources.batch import Batch
from crony.api.resources.events import Events
from crony.api.resources.groups import Groups
from crony.api.resources.health import Health
from crony.api.resources.keys import Keys
from crony.api.resources.leases import Leases
from crony.api.resources.ledger import Ledger
from crony.api.resources.logs import Logs
from crony.api.resources.moving import Moving
from crony.api.resources.numbers import Numbers
from crony.api.resources.openapi import OpenApi
from crony.api.resources.profiles import Profiles
from crony.api.resources.reports import Reports
from crony.api.resources.runs import Runs
from crony.api.resources.schedules import Schedules
from crony.api.resources.tenants import Tenants
from crony.api.resources.webhooks import Webhooks
from crony.api.resources.workers import Workers
from crony.api.routes import ROUTES

RESOURCES = (
    Schedules,
    Actions,
    Batch,
    Groups,
    Profiles,
    Runs,
    Logs,
    Ledger,
    Backfill,
    Workers,
    Leases,
    Reports,
    Events,
    Webhooks,
    Keys,
    Tenants,
    Moving,
    Numbers,
    Health,
    OpenApi,
)

Responder = Callable[..., Awaitable[None]]


class App(falcon.asgi.App[Request, falcon.asgi.Response]):
    """Falcon's application, fed with paths that were split raw."""

    def __init__(self, node: Node) -> None:
        super().__init__(request_type=Request, middleware=[Door(node)])
        self.node = node
        self.add_error_handler(Exception, handle)
        self.add_error_handler(falcon.HTTPError, handle)
        self.req_options.strip_url_path_trailing_slash = False

    # ASGI's own types are untyped dicts, in Falcon too.
    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:  # type: ignore[override]
        """Serve one request, with its number on every event that it logs."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        raw = scope.get("raw_path") or quote(scope["path"]).encode()
        number = new_number()
        told = {
            **scope,
            "path": _routed(canonical(raw)),
            "query_string": _ascii(scope["query_string"]),
            "crony.number": number,
        }
        with log.bound(request=number):
            await super().__call__(told, receive, send)

    def drain(self) -> None:
        """Let all that waits be answered at once: the process is to end."""
        self.node.polls.close()
        self.node.tails.close()
        self.node.streams.close()


def _routed(path: str) -> str:
    """Return a path as Falcon's router takes it, which strips all leading slashes.

    An empty first segment is no route: encoded, its slash becomes part of a name.
    """
    return f"/%2F{path[2:]}" if path.startswith("//") else path or "/"


def _ascii(query: bytes) -> bytes:
    # What is not ASCII comes only from clients that do not encode; the parameters
    # are decoded strictly later.
    return query if query.isascii() else quote(query, safe="%&=+").encode()


def create_app(node: Node) -> App:
    """Return the application for one process of the service."""
    app = App(node)
    responders = responders_of(node)
    for path in dict.fromkeys(route.path for route in ROUTES):
        methods = {r.method: r.operation for r in ROUTES if r.path == path}
        if "GET" in methods:
            methods["HEAD"] = methods["GET"]
        resource = SimpleNamespace(
            **{f"on_{m.lower()}": responders[name] for m, name in methods.items()}
        )
        app.add_route(path, resource)
    return app


def responders_of(node: Node) -> dict[str, Responder]:
    """Return every responder by the name of its operation."""
    found: dict[str, Responder] = {}
    names = {route.operation for route in ROUTES}
    for resource in (kind(node) for kind in RESOURCES):
        for name in names & set(dir(resource)):
            found[name] = getattr(resource, name)
    return found
