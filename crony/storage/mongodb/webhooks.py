"""Webhooks and their deliveries, in MongoDB.

A delivery is made and removed by commits; how it goes is written by itself, for no
other thing of the tenant follows from it. ``due`` is when it is tried next, and absent
when it is over; ``hook`` is its webhook, in the life of its tenant that it belongs to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from crony.model.webhook import Delivery, DeliveryState, Webhook
from crony.storage.codec import instant_out, maybe_instant_in
from crony.storage.contract import Page, Position, Webhooks
from crony.storage.documents import Document, document_in, document_out
from crony.storage.mongodb import kinds, paging
from crony.storage.mongodb.engine import Engine
from crony.storage.mongodb.faults import translated
from crony.storage.mongodb.work import LAST_LIFE, Work, key

_IS_SET = {"$exists": True}

#: Webhooks of all tenants that are not paused, as an index has them.
_ACTIVE = {"paused": False, "tenant": {"$gt": ""}}


class MongoWebhooks(Webhooks):
    """Webhooks as documents, deliveries as others."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, tenant: str, name: str) -> Webhook | None:
        found = self._engine.glance(tenant).get(kinds.WEBHOOKS, name)
        return None if found is None else document_in(Webhook, found)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Webhook]:
        return paging.page(
            self._engine.glance(tenant),
            kinds.WEBHOOKS,
            {},
            by="name",
            then="name",
            read=lambda document: document_in(Webhook, document),
            limit=limit,
            after=after,
        )

    def put(self, webhook: Webhook, *, expected: int | None) -> bool:
        def put(work: Work) -> bool:
            stored = _stored(work, webhook.name)
            if (stored.revision if stored else None) != expected:
                return False
            position = stored.position if stored else webhook.position
            _keep(work, replace(webhook, position=position))
            return True

        return self._engine.verb(webhook.tenant, put)

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        def delete(work: Work) -> bool:
            stored = _stored(work, name)
            if stored is None or stored.revision != expected:
                return False
            work.delete(kinds.WEBHOOKS, name)
            work.sweep(kinds.DELIVERIES, {"webhook": name})
            return True

        return self._engine.verb(tenant, delete)

    def walk(self, *, limit: int, after: Position | None) -> Page[Webhook]:
        ranges: list[Document] = [{}]
        if after is not None:
            tenant, name = after
            ranges = [{"tenant": tenant, "name": {"$gt": name}}]
            ranges += [{"tenant": {"$gt": tenant}}]
        found: list[Document] = []
        for piece in ranges:
            found += self._engine.everywhere(
                kinds.WEBHOOKS,
                {"paused": False, **piece},
                sort=[("tenant", 1), ("name", 1)],
                limit=limit + 1 - len(found),
            )
        webhooks = tuple(document_in(Webhook, each) for each in found[:limit])
        more = len(found) > limit > 0
        last = webhooks[-1] if more else None
        return Page(webhooks, None if last is None else (last.tenant, last.name))

    def advance(
        self,
        webhook: Webhook,
        *,
        position: int,
        deliveries: Sequence[Delivery],
        most: int,
    ) -> bool:
        def advance(work: Work) -> bool:
            stored = _stored(work, webhook.name)
            if stored is None or stored.position != webhook.position:
                return False
            if _waiting(work, webhook.name, most=most) >= most:
                return False
            new = {_id(webhook.name, each.event.sequence): each for each in deliveries}
            known = work.get_all(kinds.DELIVERIES, new)
            for id in new.keys() - known.keys():
                hook = {"hook": _hook(work, webhook.name)}
                work.put(kinds.DELIVERIES, id, {**_out(new[id]), **hook})
            _keep(work, replace(stored, position=position))
            return True

        return self._engine.verb(webhook.tenant, advance)

    def due(
        self,
        *,
        now: datetime,
        limit: int,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[tuple[Delivery, Webhook]]:
        left_out = {"_id": {"$nin": [key(*name) for name in without]}}
        steps: list[Document] = [
            {"$match": {**_ACTIVE, **left_out}},
            _first({"due": {**_IS_SET, "$lte": instant_out(now)}}),
            {"$unwind": "$first"},
            {
                "$sort": {
                    "first.due": 1,
                    "first.event.sequence": 1,
                    "tenant": 1,
                    "name": 1,
                }
            },
            {"$limit": limit},
        ]
        return tuple(
            (
                document_in(Delivery, cast("Document", found["first"])),
                document_in(Webhook, found),
            )
            for found in self._looked(steps)
        )

    def earliest(self) -> datetime | None:
        steps: list[Document] = [
            {"$match": _ACTIVE},
            _first({"due": _IS_SET}),
            {"$unwind": "$first"},
            {"$group": {"_id": None, "due": {"$min": "$first.due"}}},
        ]
        found = self._looked(steps)
        return maybe_instant_in(cast("int", found[0]["due"])) if found else None

    def _looked(self, steps: list[Document]) -> list[Document]:
        """Return what webhooks of all tenants come to."""
        self._engine.settle()
        with translated():
            documents = self._engine.database.documents(kinds.WEBHOOKS)
            return list(documents.aggregate(steps))

    def delivery(self, tenant: str, webhook: str, *, sequence: int) -> Delivery | None:
        work = self._engine.glance(tenant)
        found = work.get(kinds.DELIVERIES, _id(webhook, sequence))
        return None if found is None else document_in(Delivery, found)

    def record(self, delivery: Delivery, *, tries: int) -> bool:
        document = _out(delivery)
        update: Document = {"$set": document}
        if "due" not in document:
            update["$unset"] = {"due": ""}
        id = key(delivery.tenant, _id(delivery.webhook, delivery.event.sequence))
        where = {"tenant": delivery.tenant, "_id": id, "tries": tries}
        # NOTE: by itself and not by a commit: those only make deliveries and remove
        # them, and what was removed has no tries.
        with translated():
            deliveries = self._engine.database.documents(kinds.DELIVERIES)
            return deliveries.update_one(where, update).matched_count == 1

    def deliveries(
        self, tenant: str, webhook: str, *, limit: int, after: Position | None
    ) -> Page[Delivery]:
        before = {} if after is None else {"event.sequence": {"$lt": after[0]}}
        work = self._engine.glance(tenant)
        found = work.find(
            kinds.DELIVERIES,
            {"hook": _hook(work, webhook), **before},
            sort=[("event.sequence", -1)],
            limit=limit + 1,
        )
        items = tuple(document_in(Delivery, document) for document in found[:limit])
        more = len(found) > limit > 0
        last = items[-1].event.sequence if more else None
        return Page(items, None if last is None else (last, webhook))

    def prune(self, *, before: datetime, limit: int) -> int:
        old = {"finished_at": {"$lt": instant_out(before)}}
        found = self._engine.everywhere(
            kinds.DELIVERIES,
            old,
            sort=[("finished_at", 1)],
            limit=limit,
            fields=["finished_at"],
        )
        if not found:
            return 0
        # NOTE: by themselves and without tombstones: they are older than those last.
        with translated():
            deliveries = self._engine.database.documents(kinds.DELIVERIES)
            ids = {"_id": {"$in": [each["_id"] for each in found]}}
            return deliveries.delete_many({**ids, **old}).deleted_count


def _id(webhook: str, sequence: int) -> str:
    return f"{webhook}/{sequence}"


def _hook(work: Work, webhook: str) -> str:
    return key(work.tenant, f"{work.number(LAST_LIFE)}/{webhook}")


def _stored(work: Work, name: str) -> Webhook | None:
    found = work.get(kinds.WEBHOOKS, name)
    return None if found is None else document_in(Webhook, found)


def _keep(work: Work, webhook: Webhook) -> None:
    hook = {"hook": _hook(work, webhook.name)}
    work.put(kinds.WEBHOOKS, webhook.name, {**document_out(webhook), **hook})


def _waiting(work: Work, webhook: str, *, most: int) -> int:
    """Return how many deliveries are pending, no more than make the answer certain."""
    where = {"hook": _hook(work, webhook), "due": _IS_SET}
    return len(work.find(kinds.DELIVERIES, where, limit=most, fields=["hook", "due"]))


def _first(where: Document) -> Document:
    """Return the step that finds the first pending delivery of a webhook."""
    return {
        "$lookup": {
            "from": kinds.DELIVERIES,
            "localField": "hook",
            "foreignField": "hook",
            "pipeline": [
                {"$match": where},
                {"$sort": {"due": 1, "event.sequence": 1}},
                {"$limit": 1},
            ],
            "as": "first",
        }
    }


def _out(delivery: Delivery) -> Document:
    document = document_out(delivery)
    if delivery.state is DeliveryState.PENDING and delivery.next_at is not None:
        document["due"] = document["next_at"]
    return document
