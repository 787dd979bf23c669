"""Events, and webhooks that they are sent to."""

from __future__ import annotations

from crony.api.bodies.schedule import EmptyBody
from crony.api.bodies.webhook import WebhookBody
from crony.api.routes.route import OPERATE, PAGE, Route, get

WEBHOOK = "/webhooks/{webhook}"

ROUTES: tuple[Route, ...] = (
    get(
        "/events",
        "list_events",
        "What happens, as it happens; as JSON what happened, in pages",
        "events",
        query=("types", "schedule", "after", "limit"),
        answer="Events",
        problems=("events-pruned",),
        media=("text/event-stream", "application/json"),
    ),
    get(
        "/webhooks",
        "list_webhooks",
        "List webhooks",
        "webhooks",
        roles=OPERATE,
        query=PAGE,
        answer="WebhookPage",
    ),
    get(
        WEBHOOK,
        "get_webhook",
        "Read a webhook",
        "webhooks",
        roles=OPERATE,
        answer="Webhook",
        also=(304,),
    ),
    Route(
        method="PUT",
        path=WEBHOOK,
        operation="put_webhook",
        summary="Make or change a webhook; a secret is shown when it is made",
        tag="webhooks",
        roles=OPERATE,
        body=WebhookBody,
        also=(201,),
        answer="NewWebhook",
        problems=("revision",),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path=WEBHOOK,
        operation="delete_webhook",
        summary="Send nothing more, and forget what was sent",
        tag="webhooks",
        roles=OPERATE,
        status=204,
        problems=("revision",),
        conditional=True,
    ),
    Route(
        method="POST",
        path=WEBHOOK + "/ping",
        operation="ping_webhook",
        summary="Send a test event now; say how it went",
        tag="webhooks",
        roles=OPERATE,
        body=EmptyBody,
        body_optional=True,
        answer="Delivery",
    ),
    get(
        WEBHOOK + "/deliveries",
        "list_deliveries",
        "What was sent or is to be sent, newest event first",
        "webhooks",
        roles=OPERATE,
        query=PAGE,
        answer="DeliveryPage",
    ),
    Route(
        method="POST",
        path=WEBHOOK + "/deliveries/{event}/retry",
        operation="retry_delivery",
        summary="Send an event once more",
        tag="webhooks",
        roles=OPERATE,
        body=EmptyBody,
        body_optional=True,
        answer="Delivery",
    ),
)
