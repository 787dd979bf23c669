"""What happens around every responder: its number, its caller, its end in the log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

import falcon.asgi

from crony import errors, log
from crony.api import auth, params, problems
from crony.api.node import Node
from crony.api.request import Disconnected, Request, segment
from crony.api.routes import BY_PLACE, Route
from crony.model.worker import Role

Response = falcon.asgi.Response

_log = log.get("crony.api")


class Door:
    """Falcon's middleware: nothing reaches a responder unless it passes here."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def process_request(self, req: Request, resp: Response) -> None:
        """Refuse what no route takes."""
        req.context.began = time.perf_counter()
        coding = (req.header("Content-Encoding") or "identity").lower()
        if coding != "identity":
            raise problems.RequestProblem(
                problems.UNSUPPORTED,
                f'The content coding "{coding[:40]}" is not supported; '
                "send the body as it is.",
                headers={"Accept-Encoding": "identity"},
            )

    async def process_resource(
        self, req: Request, resp: Response, resource: object, path: dict[str, str]
    ) -> None:
        """Find out who calls, and whether they may."""
        for name, text in path.items():
            path[name] = segment(text)
        method = "GET" if req.method == "HEAD" else req.method
        route = BY_PLACE.get((method, req.uri_template or ""))
        if route is None:
            # Falcon's own responder answers the method with 405 or OPTIONS.
            return
        req.route = route
        if route.roles:
            await self._admit(req, route, path)
        req.parameters = params.split(req.query_string)
        params.refuse_unknown(req.parameters, route.query)
        _negotiate(req, route)

    async def _admit(self, req: Request, route: Route, path: Mapping[str, str]) -> None:
        secret = auth.secret_of(req)
        named = req.header(auth.TENANT_HEADER)
        known = self._known(secret, named)
        if known is None:
            known = await self._node.pool.run(self._identify, secret, named)
        caller, allowed = known
        req.caller = caller
        auth.allow(caller, route)
        self._node.rates.take(caller.tenant, allowed)
        if caller.role is Role.WORKER and "worker" in path:
            auth.own_worker(caller, path["worker"])

    def _known(
        self, secret: str, named: str | None
    ) -> tuple[auth.Caller, int | None] | None:
        """Return the same as ``_identify``, where no look into the store is due.

        PERF: most requests need no thread for this.
        """
        if named is not None:
            return None
        caller = auth.remembered(self._node.service, secret)
        known = None if caller is None else self._node.rates.known(caller.tenant)
        return None if caller is None or known is None else (caller, known[0])

    def _identify(
        self, secret: str, named: str | None
    ) -> tuple[auth.Caller, int | None]:
        service = self._node.service
        caller = auth.identify(service, secret, named)
        return caller, self._node.rates.allowed(
            caller.tenant, partial(service.tenants.find, caller.tenant)
        )

    async def process_response(
        self,
        req: Request,
        resp: Response,
        resource: object,
        succeeded: bool,  # noqa: FBT001  # Falcon passes it so
    ) -> None:
        """Log and count what was answered."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        if "Cache-Control" not in resp.headers:
            resp.set_header("Cache-Control", "no-store")
        took = timedelta(seconds=time.perf_counter() - req.context.began)
        route = req.route
        operation = route.operation if route else "none"
        waits = operation in ("lease", "get_log", "list_events", "export_records")
        self._node.metrics.count(operation, resp.status_code, None if waits else took)
        self._note(req, succeeded=succeeded)
        caller = getattr(req, "caller", None)
        say = _log.debug if route and route.quiet and succeeded else _log.info
        say(
            "request",
            tenant=caller.tenant if caller else None,
            duration=took,
            operation=operation,
            method=req.method,
            status=resp.status_code,
        )

    def _note(self, req: Request, *, succeeded: bool) -> None:
        """Tell the probe how a write went; what was refused says nothing."""
        if req.method in ("GET", "HEAD", "OPTIONS"):
            return
        failure: errors.CronyError | None = getattr(req.context, "failure", None)
        if failure is not None or succeeded:
            self._node.service.probe.note(failure)


def _negotiate(req: Request, route: Route) -> None:
    """Refuse an Accept that nothing of the route satisfies."""
    accept = req.header("Accept")
    if accept is None or accept in ("*/*", ""):
        return
    try:
        fits = any(req.client_accepts(media) for media in route.media)
    except ValueError:
        fits = False
    if not fits:
        offered = ", ".join(route.media)
        raise problems.RequestProblem(
            problems.NOT_ACCEPTABLE, f"This answers {offered} only."
        )


async def handle(
    req: Request, resp: Response, exc: Exception, _: dict[str, str]
) -> None:
    """Answer whatever was raised as a problem; see ``problems``."""
    if isinstance(exc, Disconnected):
        resp.status = 400
        return
    problem = _of_falcon(exc) if isinstance(exc, falcon.HTTPError) else problems.of(exc)
    if problem.kind is problems.INTERNAL:
        _log.exception("a request failed")
    if isinstance(exc, errors.StoreUnavailable | errors.StoreUnusable):
        req.context.failure = exc
    resp.status = problem.kind.status
    resp.content_type = problems.MEDIA_TYPE
    resp.data = problem.encoded(instance=req.number)
    resp.text = None
    resp.stream = None
    for name, value in problem.headers.items():
        resp.set_header(name, value)
    _log.debug(
        "problem",
        type=problem.kind.name,
        status=problem.kind.status,
        detail=problem.detail,
    )


def _of_falcon(exc: falcon.HTTPError) -> problems.Problem:
    """Return the problem for what Falcon itself refuses."""
    headers = exc.headers
    known = dict(headers.items() if isinstance(headers, Mapping) else headers or ())
    if isinstance(exc, falcon.HTTPMethodNotAllowed):
        allowed = known.get("Allow", "")
        return problems.Problem(
            kind=problems.NO_METHOD,
            detail=f"The resource takes {allowed}.",
            headers={"Allow": allowed},
        )
    if isinstance(exc, falcon.HTTPNotFound):
        return problems.Problem(
            kind=problems.NOT_FOUND,
            detail="No resource has this path; /openapi.json lists them all.",
        )
    kind = problems.Kind(exc.status_code, "malformed-request", problems.MALFORMED.title)
    return problems.Problem(kind=kind, detail="The request can't be used as it is.")
