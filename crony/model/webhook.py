"""Webhooks: events sent to somebody's URL, and how each delivery went."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from crony.model.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where events of a tenant are sent.

    ``position`` is the sequence of the newest event that was looked at for it.
    """

    name: str
    tenant: str
    revision: int
    url: str
    #: Event types; one may end in ``.*``. Empty: all.
    types: tuple[str, ...] = ()
    description: str = ""
    paused: bool = False
    #: What deliveries are signed with; never shown again after its creation.
    secret: str = field(repr=False)
    position: int = 0
    created_at: datetime
    updated_at: datetime


class DeliveryState(StrEnum):
    """``failed``: given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one webhook."""

    webhook: str
    tenant: str
    event: Event
    state: DeliveryState = DeliveryState.PENDING
    #: How often it was tried.
    tries: int = 0
    #: When it is tried next; ``None`` when it is over.
    next_at: datetime | None
    #: HTTP status of the newest answer, if there was one.
    status: int | None = None
    error: str | None = None
    created_at: datetime
    finished_at: datetime | None = None
