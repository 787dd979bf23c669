"""Fanning out: which deliveries new events lead to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from crony import errors, log
from crony.clock import Clock, cut
from crony.model.webhook import Delivery, Webhook
from crony.scheduler.events import Events, Look
from crony.storage.contract import Position, Store

_log = log.get(__name__)

#: So many webhooks, and events of each, are read at once.
_PAGE = 100
_BATCH = 100
#: So many batches of one webhook are made before the next has its turn.
_TURN = 5

#: So many deliveries of a webhook may be pending; further events wait as events,
MOST = 1000
#: and this long before it is tried again.
_PAUSE = timedelta(seconds=1)

#: A position that lags this far behind is stored, though nothing is to be sent.
_LAG = 1000

Key = tuple[str, str]


class Fan:
    """Moves webhooks on through the events, and stores what is to be sent."""

    def __init__(self, store: Store, clock: Clock, *, most: int = MOST) -> None:
        self._store = store
        self._most = most
        self._events = Events(store, clock)
        #: By revision, how far events were looked at that lead to nothing.
        self._seen: dict[Key, tuple[int, int]] = {}
        #: Those with enough to send already.
        self._full: dict[Key, datetime] = {}
        #: Those that could not be told, by revision.
        self._bad: dict[Key, int] = {}

    def out(self, now: datetime) -> bool:
        """Do one round over all webhooks; return whether there is more to do now."""
        unfinished = False
        newest: dict[str, int] = {}
        alive: set[Key] = set()
        after: Position | None = None
        while True:
            page = self._store.webhooks.walk(limit=_PAGE, after=after)
            for webhook in page.items:
                alive.add((webhook.tenant, webhook.name))
                if webhook.tenant not in newest:
                    newest[webhook.tenant] = self._events.newest(webhook.tenant)
                if self._tried(webhook, now, newest=newest[webhook.tenant]):
                    unfinished = True
            after = page.next
            if after is None:
                break
        for kept in (self._seen, self._full, self._bad):
            for key in kept.keys() - alive:
                del kept[key]
        return unfinished

    def _tried(self, webhook: Webhook, now: datetime, *, newest: int) -> bool:
        try:
            return self._one(webhook, now, newest=newest)
        except errors.Unavailable:
            raise
        except Exception:  # noqa: BLE001  # one bad row must not stop the others
            key = (webhook.tenant, webhook.name)
            if self._bad.get(key) != webhook.revision:
                self._bad[key] = webhook.revision
                _log.exception(
                    "a webhook can't be told of events", tenant=key[0], webhook=key[1]
                )
            return False

    def _one(self, webhook: Webhook, now: datetime, *, newest: int) -> bool:
        """Make deliveries of what a webhook has not seen yet; return what is left."""
        key = (webhook.tenant, webhook.name)
        full = self._full.get(key)
        if full is not None and full - _PAUSE <= now < full:
            return False
        revision, seen = self._seen.get(key, (webhook.revision, 0))
        position = max(webhook.position, seen if revision == webhook.revision else 0)
        turns = 0
        while position < newest and turns < _TURN:
            turns += 1
            look = self._look(webhook, position)
            position = look.position
            if look.events or position - webhook.position >= _LAG:
                if not self._store_deliveries(webhook, look, now):
                    self._full[key] = now + _PAUSE
                    return False
                webhook = replace(webhook, position=position)
        self._seen[key] = (webhook.revision, position)
        return position < newest

    def _look(self, webhook: Webhook, position: int) -> Look:
        types = frozenset(webhook.types)
        try:
            return self._events.look(
                webhook.tenant, after=position, limit=_BATCH, types=types
            )
        except errors.EventsPruned:
            _log.warning(
                "events were pruned before a webhook got them",
                tenant=webhook.tenant,
                webhook=webhook.name,
            )
            return self._events.look(
                webhook.tenant, after=None, limit=_BATCH, types=types
            )

    def _store_deliveries(self, webhook: Webhook, look: Look, now: datetime) -> bool:
        return self._store.webhooks.advance(
            webhook,
            position=look.position,
            deliveries=[
                Delivery(
                    webhook=webhook.name,
                    tenant=webhook.tenant,
                    event=event,
                    next_at=cut(now),
                    created_at=cut(now),
                )
                for event in look.events
            ],
            most=self._most,
        )
