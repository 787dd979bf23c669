"""Every route of the API, in one table.

From it come the wiring (``app``), the roles (``auth``), the known parameters
(``params``) and the OpenAPI document (``openapi``). ``operation`` is the name of the
method that serves the route, and the client's word for it.
"""

from crony.api.routes import (
    events,
    groups,
    ledger,
    moving,
    operations,
    runs,
    schedules,
    workers,
)
from crony.api.routes.route import PUBLIC, WORK, Route

__all__ = ["BY_PLACE", "PUBLIC", "ROUTES", "WORK", "Route"]

ROUTES: tuple[Route, ...] = (
    *schedules.ROUTES,
    *groups.ROUTES,
    *runs.ROUTES,
    *ledger.ROUTES,
    *workers.ROUTES,
    *events.ROUTES,
    *moving.ROUTES,
    *operations.ROUTES,
)

#: By method and path, as Falcon finds them.
BY_PLACE = {(route.method, route.path): route for route in ROUTES}
