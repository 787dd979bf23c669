"""Moving house: out of one store, and into another."""

from __future__ import annotations

from crony.api.bodies.schedule import EmptyBody
from crony.api.routes.route import OPERATE, Route, get
from crony.scheduler.moving import MEDIA_TYPE

ROUTES: tuple[Route, ...] = (
    get(
        "/export",
        "export_records",
        "Everything of a tenant, line by line",
        "moving",
        note=(
            "A header, then the tenant, its profiles, groups, keys (without their "
            "secrets; those of workers apart), schedules, runs with their output, and "
            "webhooks; `complete` at the end. An export that breaks off goes on "
            "`behind` its last whole line: `tenant/kind/id`."
        ),
        roles=OPERATE,
        query=("all", "secrets", "behind"),
        media=(MEDIA_TYPE,),
    ),
    Route(
        method="POST",
        path="/export/hold",
        operation="hold_tenant",
        summary="Let nothing of the tenant come due or start, for a last export",
        note=(
            "What workers have goes on to its end. It lasts until `/import/activate`."
        ),
        tag="moving",
        roles=OPERATE,
        body=EmptyBody,
        body_optional=True,
        answer="Tenant",
    ),
    Route(
        method="POST",
        path="/import",
        operation="import_records",
        summary="Take a piece of an export in; the tenant is held until activated",
        note=(
            "Each piece begins with the header of its export. A line that is refused "
            "spoils no other. To send a piece again, or a later export, is what it is "
            "made for: while the tenant is held, what is there becomes what comes, and "
            "what is unchanged stays. A tenant with schedules of its own that is not "
            "held takes nothing in. What a worker had at the time of the export is "
            "pending, its attempt lost; webhooks without their secrets are paused."
        ),
        tag="moving",
        roles=OPERATE,
        takes=MEDIA_TYPE,
        large=True,
        answer="ImportResults",
        problems=("too-large", "unsupported-media-type", "invalid-body"),
    ),
    Route(
        method="POST",
        path="/import/activate",
        operation="activate_tenant",
        summary="Let a tenant that moved in go on",
        note=(
            "What came due while it was held came due while nothing ticked: `misfire` "
            "decides on it."
        ),
        tag="moving",
        roles=OPERATE,
        body=EmptyBody,
        body_optional=True,
        answer="Tenant",
    ),
)
