"""Webhooks, and how deliveries to them went."""

from __future__ import annotations

from crony.api.render.values import Object, instant, plain
from crony.model.webhook import Delivery, Webhook
from crony.scheduler.events import event_id


def whole(value: Webhook) -> Object:
    """Return a webhook without its secret."""
    return {
        "name": value.name,
        "tenant": value.tenant,
        "revision": value.revision,
        "url": value.url,
        "types": list(value.types),
        "description": value.description,
        "paused": value.paused,
        "created_at": instant(value.created_at),
        "updated_at": instant(value.updated_at),
    }


def delivery(value: Delivery, *, id: str | None = None) -> Object:
    """Return a delivery; ``id`` is that of an event that is not kept."""
    return {
        "event": id or event_id(value.event),
        "type": value.event.type,
        "subject": value.event.subject,
        "state": plain(value.state),
        "tries": value.tries,
        "next_at": instant(value.next_at),
        "status": value.status,
        "error": value.error,
        "created_at": instant(value.created_at),
        "finished_at": instant(value.finished_at),
    }
