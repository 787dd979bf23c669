"""Webhooks and their deliveries, in Redis.

A delivery is a document that no script looks into; beside it stands what they need.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from crony.model.webhook import Delivery, DeliveryState, Webhook
from crony.storage.codec import instant_out, maybe_instant_in, maybe_instant_out
from crony.storage.contract import Page, Position, Webhooks
from crony.storage.documents import document_in, document_out
from crony.storage.redis import named
from crony.storage.redis.engine import Arguments, Engine
from crony.storage.redis.paging import page_of
from crony.storage.redis.sweeping import swept
from crony.storage.redis.tenants import enrol
from crony.storage.redis.values import packed, raw, unpacked, value_in

_KIND = "webhooks"
#: So many tenants are asked at a time.
_PIECE = 64


class RedisWebhooks(Webhooks):
    """Webhooks as records of their tenant, each with its deliveries."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, tenant: str, name: str) -> Webhook | None:
        return named.find(self._engine, tenant, _KIND, name, kind=Webhook)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Webhook]:
        return named.page(
            self._engine, tenant, _KIND, kind=Webhook, limit=limit, after=after
        )

    def put(self, webhook: Webhook, *, expected: int | None) -> bool:
        if expected is None:
            enrol(self._engine, webhook.tenant)
        return bool(
            self._engine.call(
                "webhook_put",
                webhook.tenant,
                webhook=document_out(webhook),
                expected=expected,
            )
        )

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        return bool(
            self._engine.call("webhook_delete", tenant, name=name, expected=expected)
        )

    def walk(self, *, limit: int, after: Position | None) -> Page[Webhook]:
        tenant, name = after or ("", "")
        tenants = [each for each in self._engine.tenants() if each >= str(tenant)]
        found: list[Webhook] = []
        while tenants and len(found) <= limit:
            piece, tenants = tenants[:_PIECE], tenants[_PIECE:]
            calls = [
                (
                    each,
                    {
                        "kind": _KIND,
                        "names": "active",
                        "limit": limit,
                        "after": name if each == tenant else None,
                    },
                )
                for each in piece
            ]
            for records in self._engine.each("named_page", calls):
                found += [value_in(Webhook, record) for record in records]
        return page_of(
            found,
            limit=limit,
            read=lambda webhook: webhook,
            place=lambda last: (last.tenant, last.name),
        )

    def advance(
        self,
        webhook: Webhook,
        *,
        position: int,
        deliveries: Sequence[Delivery],
        most: int,
    ) -> bool:
        return bool(
            self._engine.call(
                "webhook_advance",
                webhook.tenant,
                name=webhook.name,
                **{"from": webhook.position},
                to=position,
                deliveries=[_kept(delivery) for delivery in deliveries],
                most=most,
            )
        )

    def due(
        self,
        *,
        now: datetime,
        limit: int,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[tuple[Delivery, Webhook]]:
        calls = [
            (
                tenant,
                {
                    "now": instant_out(now),
                    "limit": limit,
                    "without": [name for owner, name in without if owner == tenant],
                },
            )
            for tenant in self._engine.tenants()
        ]
        found = [
            (_delivery(each["delivery"]), value_in(Webhook, each["webhook"]))
            for several in self._engine.each("delivery_due", calls)
            for each in several
        ]
        found.sort(key=lambda pair: _order(pair[0]))
        return tuple(found[:limit])

    def earliest(self) -> datetime | None:
        calls: list[tuple[str, Arguments]]
        calls = [(tenant, {}) for tenant in self._engine.tenants()]
        found = self._engine.each("delivery_earliest", calls)
        return maybe_instant_in(
            min((each for each in found if each is not None), default=None)
        )

    def delivery(self, tenant: str, webhook: str, *, sequence: int) -> Delivery | None:
        kept = self._engine.call(
            "delivery_find", tenant, webhook=webhook, sequence=sequence
        )
        return None if kept is None else _delivery(kept)

    def record(self, delivery: Delivery, *, tries: int) -> bool:
        return bool(
            self._engine.call(
                "delivery_record",
                delivery.tenant,
                webhook=delivery.webhook,
                delivery=_kept(delivery),
                tries=tries,
            )
        )

    def deliveries(
        self, tenant: str, webhook: str, *, limit: int, after: Position | None
    ) -> Page[Delivery]:
        found = self._engine.call(
            "delivery_page",
            tenant,
            webhook=webhook,
            limit=limit,
            after=None if after is None else after[0],
        )
        return page_of(
            found,
            limit=limit,
            read=_delivery,
            place=lambda last: (last.event.sequence, webhook),
        )

    def prune(self, *, before: datetime, limit: int) -> int:
        return swept(
            self._engine,
            "delivery_prune",
            by="deliveries:ended",
            before=before,
            limit=limit,
        )


def _order(delivery: Delivery) -> tuple[datetime | None, int, str]:
    return (delivery.next_at, delivery.event.sequence, delivery.webhook)


def _kept(delivery: Delivery) -> Arguments:
    return {
        "sequence": delivery.event.sequence,
        "tries": delivery.tries,
        "pending": delivery.state is DeliveryState.PENDING,
        "next_at": maybe_instant_out(delivery.next_at),
        "finished_at": maybe_instant_out(delivery.finished_at),
        "document": packed(document_out(delivery)),
    }


def _delivery(kept: str) -> Delivery:
    return document_in(Delivery, unpacked(raw(kept)))
