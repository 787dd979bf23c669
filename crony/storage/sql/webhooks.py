"""Webhooks and their deliveries, in SQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime

from crony.model.webhook import Delivery, DeliveryState, Webhook
from crony.storage.codec import (
    dumps,
    instant_in,
    instant_out,
    maybe_instant_in,
    maybe_instant_out,
)
from crony.storage.contract import Page, Position, Webhooks
from crony.storage.sql import dialect
from crony.storage.sql.connection import Connection, Parameters
from crony.storage.sql.dialect import each, part, text
from crony.storage.sql.events import event_in, event_out
from crony.storage.sql.noun import Noun
from crony.storage.sql.paging import page_of
from crony.storage.sql.rows import Columns

_NAMES = (
    *("tenant", "name", "revision", "url", "types", "description", "paused"),
    *("secret", "position", "created_at", "updated_at"),
)
_COLUMNS = ", ".join(f"w.{name}" for name in _NAMES)
_FIND = text(
    f"SELECT {_COLUMNS} FROM webhooks w WHERE w.tenant = :tenant AND w.name = :name"
)
_PAGE = text(
    f"SELECT {_COLUMNS} FROM webhooks w WHERE w.tenant = :tenant"
    " AND w.name > :after ORDER BY w.name LIMIT :limit"
)
_WALK = text(
    f"SELECT {_COLUMNS} FROM webhooks w WHERE w.paused = 0"
    " AND (w.tenant, w.name) > (:tenant, :name) ORDER BY w.tenant, w.name LIMIT :limit"
)
_INSERT = text(
    f"INSERT INTO webhooks ({', '.join(_NAMES)})"
    f" VALUES ({', '.join(f':{name}' for name in _NAMES)})"
)
_REPLACE = text(
    "UPDATE webhooks SET revision = :revision, url = :url, types = :types,"
    " description = :description, paused = :paused, secret = :secret,"
    " created_at = :created_at, updated_at = :updated_at"
    " WHERE tenant = :tenant AND name = :name"
)
_MOVE = text(
    "UPDATE webhooks SET position = :position WHERE tenant = :tenant AND name = :name"
)
_DELETE = text("DELETE FROM webhooks WHERE tenant = :tenant AND name = :name")
_FORGET = text("DELETE FROM deliveries WHERE tenant = :tenant AND webhook = :name")

_PARTS = (
    *("tenant", "webhook", "sequence", "event", "state", "tries", "next_at", "status"),
    *("error", "created_at", "finished_at"),
)
_DELIVERY = ", ".join(f"d.{name}" for name in _PARTS)
#: No more of them than make the answer certain.
_PENDING = text(
    "SELECT count(*) FROM (SELECT 1 FROM deliveries d WHERE d.tenant = :tenant"
    " AND d.webhook = :name AND d.state = 'pending' LIMIT :most) found"
)
_ADD = text(
    f"INSERT INTO deliveries ({', '.join(_PARTS)})"
    f" VALUES ({', '.join(f':{name}' for name in _PARTS)})"
    " ON CONFLICT (tenant, webhook, sequence) DO NOTHING"
)
_FIRST = (
    "(SELECT {columns} FROM deliveries d WHERE d.tenant = w.tenant"
    " AND d.webhook = w.name AND d.state = 'pending' AND d.next_at IS NOT NULL"
    " ORDER BY d.next_at, d.sequence LIMIT 1)"
)
_DUE = text(
    f"SELECT {_DELIVERY}, {_COLUMNS} FROM (SELECT w.*,"
    f" {_FIRST.format(columns='d.sequence')} AS first FROM webhooks w"
    " WHERE w.paused = 0) w JOIN deliveries d ON d.tenant = w.tenant"
    " AND d.webhook = w.name AND d.sequence = w.first WHERE d.next_at <= :now"
    f" AND NOT EXISTS (SELECT 1 FROM {each('without', 'j')}"
    f" WHERE {part('j', 0)} = w.tenant AND {part('j', 1)} = w.name)"
    " ORDER BY d.next_at, d.sequence, d.webhook LIMIT :limit"
)
_EARLIEST = text(
    f"SELECT min({_FIRST.format(columns='d.next_at')}) FROM webhooks w"
    " WHERE w.paused = 0"
)
_DELIVERY_OF = text(
    f"SELECT {_DELIVERY} FROM deliveries d WHERE d.tenant = :tenant"
    " AND d.webhook = :webhook AND d.sequence = :sequence"
)
_DELIVERIES = text(
    f"SELECT {_DELIVERY} FROM deliveries d WHERE d.tenant = :tenant"
    " AND d.webhook = :webhook AND d.sequence < :before"
    " ORDER BY d.sequence DESC LIMIT :limit"
)
_RECORD = text(
    "UPDATE deliveries SET event = :event, state = :state, tries = :tries,"
    " next_at = :next_at, status = :status, error = :error, created_at = :created_at,"
    " finished_at = :finished_at WHERE tenant = :tenant AND webhook = :webhook"
    " AND sequence = :sequence AND tries = :expected RETURNING 1"
)
_PRUNE = text(
    "DELETE FROM deliveries WHERE (tenant, webhook, sequence) IN (SELECT d.tenant,"
    " d.webhook, d.sequence FROM deliveries d WHERE d.finished_at IS NOT NULL"
    " AND d.finished_at < :before ORDER BY d.finished_at, d.tenant, d.webhook,"
    " d.sequence LIMIT :limit) RETURNING 1"
)
_OLD = text(
    "SELECT 1 FROM deliveries d WHERE d.finished_at IS NOT NULL"
    " AND d.finished_at < :before LIMIT 1"
)


class SqlWebhooks(Noun, Webhooks):
    """Webhooks in a table, deliveries in another."""

    def find(self, tenant: str, name: str) -> Webhook | None:
        with self._database.reading() as connection:
            return _find(connection, tenant, name)

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Webhook]:
        asked = {"tenant": tenant, "limit": limit + 1}
        asked["after"] = "" if after is None else after[1]
        with self._database.reading() as connection:
            found = connection.execute(_PAGE, asked).all()
        return page_of(
            found, limit=limit, read=_webhook, place=lambda last: (last.name, last.name)
        )

    def put(self, webhook: Webhook, *, expected: int | None) -> bool:
        with self._database.writing(webhook.tenant) as connection:
            stored = _find(connection, webhook.tenant, webhook.name)
            if (stored.revision if stored else None) != expected:
                return False
            statement = _INSERT if stored is None else _REPLACE
            values = _webhook_out(webhook)
            connection.execute(statement, statement.taking(values))
            return True

    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        named = {"tenant": tenant, "name": name}
        with self._database.writing(tenant) as connection:
            stored = _find(connection, tenant, name)
            if stored is None or stored.revision != expected:
                return False
            connection.execute(_FORGET, named)
            connection.execute(_DELETE, named)
            return True

    def walk(self, *, limit: int, after: Position | None) -> Page[Webhook]:
        tenant, name = after or ("", "")
        asked = {"tenant": tenant, "name": name, "limit": limit + 1}
        with self._database.reading() as connection:
            found = connection.execute(_WALK, asked).all()
        return page_of(
            found,
            limit=limit,
            read=_webhook,
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
        named: Parameters = {"tenant": webhook.tenant, "name": webhook.name}
        with self._database.writing(webhook.tenant) as connection:
            stored = _find(connection, webhook.tenant, webhook.name)
            if stored is None or stored.position != webhook.position:
                return False
            asked = {**named, "most": most}
            if connection.execute(_PENDING, asked).scalar_one() >= most:
                return False
            connection.execute_each(_ADD, [_delivery_out(each) for each in deliveries])
            connection.execute(_MOVE, {**named, "position": position})
            return True

    def due(
        self,
        *,
        now: datetime,
        limit: int,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[tuple[Delivery, Webhook]]:
        asked = {
            "now": instant_out(now),
            "limit": limit,
            "without": json.dumps([list(name) for name in without]),
        }
        with self._database.reading() as connection:
            found = connection.execute(_DUE, asked).all()
        cut = len(_PARTS)
        return tuple((_delivery(row[:cut]), _webhook(row[cut:])) for row in found)

    def earliest(self) -> datetime | None:
        with self._database.reading() as connection:
            return maybe_instant_in(connection.execute(_EARLIEST).scalar())

    def delivery(self, tenant: str, webhook: str, *, sequence: int) -> Delivery | None:
        asked = {"tenant": tenant, "webhook": webhook, "sequence": sequence}
        with self._database.reading() as connection:
            row = connection.execute(_DELIVERY_OF, asked).first()
        return None if row is None else _delivery(row)

    def record(self, delivery: Delivery, *, tries: int) -> bool:
        values = {**_delivery_out(delivery), "expected": tries}
        with self._database.writing() as connection:
            return connection.execute(_RECORD, values).first() is not None

    def deliveries(
        self, tenant: str, webhook: str, *, limit: int, after: Position | None
    ) -> Page[Delivery]:
        asked: Parameters = {"tenant": tenant, "webhook": webhook, "limit": limit + 1}
        asked["before"] = dialect.NEVER if after is None else after[0]
        with self._database.reading() as connection:
            found = connection.execute(_DELIVERIES, asked).all()
        return page_of(
            found,
            limit=limit,
            read=_delivery,
            place=lambda last: (last.event.sequence, webhook),
        )

    def prune(self, *, before: datetime, limit: int) -> int:
        asked = {"before": instant_out(before)}
        # Most often there is nothing, and then no lock is taken.
        with self._database.reading() as connection:
            if connection.execute(_OLD, asked).first() is None:
                return 0
        with self._database.writing() as connection:
            return len(connection.execute(_PRUNE, {**asked, "limit": limit}).all())


def _find(connection: Connection, tenant: str, name: str) -> Webhook | None:
    row = connection.execute(_FIND, {"tenant": tenant, "name": name}).first()
    return None if row is None else _webhook(row)


def _webhook_out(webhook: Webhook) -> Parameters:
    return {
        "tenant": webhook.tenant,
        "name": webhook.name,
        "revision": webhook.revision,
        "url": webhook.url,
        "types": dumps(list(webhook.types)),
        "description": webhook.description,
        "paused": int(webhook.paused),
        "secret": webhook.secret,
        "position": webhook.position,
        "created_at": instant_out(webhook.created_at),
        "updated_at": instant_out(webhook.updated_at),
    }


def _webhook(row: Columns) -> Webhook:
    return Webhook(
        tenant=row[0],
        name=row[1],
        revision=row[2],
        url=row[3],
        types=tuple(json.loads(row[4])),
        description=row[5],
        paused=bool(row[6]),
        secret=row[7],
        position=row[8],
        created_at=instant_in(row[9]),
        updated_at=instant_in(row[10]),
    )


def _delivery_out(delivery: Delivery) -> Parameters:
    return {
        "tenant": delivery.tenant,
        "webhook": delivery.webhook,
        "sequence": delivery.event.sequence,
        "event": event_out(delivery.event),
        "state": delivery.state.value,
        "tries": delivery.tries,
        "next_at": maybe_instant_out(delivery.next_at),
        "status": delivery.status,
        "error": delivery.error,
        "created_at": instant_out(delivery.created_at),
        "finished_at": maybe_instant_out(delivery.finished_at),
    }


def _delivery(row: Columns) -> Delivery:
    return Delivery(
        tenant=row[0],
        webhook=row[1],
        event=event_in(row[3]),
        state=DeliveryState(row[4]),
        tries=row[5],
        next_at=maybe_instant_in(row[6]),
        status=row[7],
        error=row[8],
        created_at=instant_in(row[9]),
        finished_at=maybe_instant_in(row[10]),
    )
