"""Webhooks and their deliveries, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from crony.model.webhook import Delivery, DeliveryState, Webhook
from crony.storage.codec import cut, kept
from crony.storage.contract import Page, Position, Webhooks
from crony.storage.memory.paging import as_it_is, paged
from crony.storage.memory.state import Memory


class MemoryWebhooks(Webhooks):
    """Webhooks in a dict, deliveries in another."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, tenant: str, name: str) -> Webhook | None:
        with self._memory.verb():
            return kept(self._memory.webhooks.get((tenant, name)))

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Webhook]:
        with self._memory.verb():
            return paged(
                [w for w in self._memory.webhooks.values() if w.tenant == tenant],
                lambda webhook: (webhook.name, webhook.name),
                order=as_it_is,
                limit=limit,
                after=after,
            )

    def put(self, webhook: Webhook, *, expected: int | None) -> bool:
        with self._memory.verb():
            name = (webhook.tenant, webhook.name)
            stored = self._memory.webhooks.get(name)
            if (stored.revision if stored else None) != expected:
                return False
            if stored is not None:
                webhook = replace(webhook, position=stored.position)
            self._memory.webhooks[name] = kept(webhook)
            return True

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        memory = self._memory
        with memory.verb():
            stored = memory.webhooks.get((tenant, name))
            if stored is None or stored.revision != expected:
                return False
            del memory.webhooks[tenant, name]
            memory.deliveries = {
                key: delivery
                for key, delivery in memory.deliveries.items()
                if key[:2] != (tenant, name)
            }
            return True

    def walk(self, *, limit: int, after: Position | None) -> Page[Webhook]:
        with self._memory.verb():
            return paged(
                [w for w in self._memory.webhooks.values() if not w.paused],
                lambda webhook: (webhook.tenant, webhook.name),
                order=as_it_is,
                limit=limit,
                after=after,
            )

    def advance(
        self,
        webhook: Webhook,
        *,
        position: int,
        deliveries: Sequence[Delivery],
        most: int,
    ) -> bool:
        memory = self._memory
        with memory.verb():
            name = (webhook.tenant, webhook.name)
            stored = memory.webhooks.get(name)
            if stored is None or stored.position != webhook.position:
                return False
            if sum(_pending(each) for each in self._of(*name)) >= most:
                return False
            for delivery in deliveries:
                key = (*name, delivery.event.sequence)
                memory.deliveries.setdefault(key, kept(delivery))
            memory.webhooks[name] = replace(stored, position=position)
            return True

    def _of(self, tenant: str, webhook: str) -> list[Delivery]:
        return [
            delivery
            for key, delivery in self._memory.deliveries.items()
            if key[:2] == (tenant, webhook)
        ]

    def due(
        self,
        *,
        now: datetime,
        limit: int,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[tuple[Delivery, Webhook]]:
        memory = self._memory
        with memory.verb():
            first: dict[tuple[str, str], Delivery] = {}
            for next_at, _, delivery in self._waiting():
                name = (delivery.tenant, delivery.webhook)
                if next_at <= cut(now) and name not in without:
                    first.setdefault(name, delivery)
            found = list(first.items())[:limit]
            return kept(tuple((each, memory.webhooks[name]) for name, each in found))

    def _waiting(self) -> list[tuple[datetime, int, Delivery]]:
        """Return the pending deliveries of webhooks that are not paused, in order."""
        waiting = [
            (delivery.next_at, delivery.event.sequence, delivery)
            for key, delivery in self._memory.deliveries.items()
            if _pending(delivery)
            and delivery.next_at is not None
            and not self._memory.webhooks[key[:2]].paused
        ]
        return sorted(waiting, key=lambda item: (*item[:2], item[2].webhook))

    def earliest(self) -> datetime | None:
        with self._memory.verb():
            return min((at for at, _, _ in self._waiting()), default=None)

    def delivery(self, tenant: str, webhook: str, *, sequence: int) -> Delivery | None:
        with self._memory.verb():
            return kept(self._memory.deliveries.get((tenant, webhook, sequence)))

    def record(self, delivery: Delivery, *, tries: int) -> bool:
        with self._memory.verb():
            key = (delivery.tenant, delivery.webhook, delivery.event.sequence)
            stored = self._memory.deliveries.get(key)
            if stored is None or stored.tries != tries:
                return False
            self._memory.deliveries[key] = kept(delivery)
            return True

    def deliveries(
        self, tenant: str, webhook: str, *, limit: int, after: Position | None
    ) -> Page[Delivery]:
        with self._memory.verb():
            return paged(
                self._of(tenant, webhook),
                lambda delivery: (delivery.event.sequence, delivery.webhook),
                order=lambda position: (-int(position[0] or 0),),
                limit=limit,
                after=after,
            )

    def prune(self, *, before: datetime, limit: int) -> int:
        memory = self._memory
        with memory.verb():
            old = sorted(
                (delivery.finished_at, key)
                for key, delivery in memory.deliveries.items()
                if delivery.finished_at is not None
                and delivery.finished_at < cut(before)
            )[:limit]
            for _, key in old:
                del memory.deliveries[key]
            return len(old)


def _pending(delivery: Delivery) -> bool:
    return delivery.state is DeliveryState.PENDING
