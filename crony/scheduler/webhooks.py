"""Webhooks: set up, tested, and looked into."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from crony import errors, log
from crony.clock import Clock, cut
from crony.model import ids
from crony.model.event import Event
from crony.model.webhook import Delivery, DeliveryState, Webhook
from crony.outbound import Rules
from crony.scheduler import named
from crony.scheduler.contention import again
from crony.scheduler.delivery import Line, decided, new_secret, send
from crony.scheduler.events import envelope
from crony.scheduler.wakes import Wakes
from crony.storage.contract import Page, Position, Store

_log = log.get(__name__)

#: The type of an event that nothing but a test leads to.
PING = "webhook.ping"
#: How long a test may take, in seconds: somebody waits for it.
_PING_SECONDS = 8.0


class Webhooks:
    """The webhooks of a tenant; ``Dispatcher`` sends what they want."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        wakes: Wakes,
        rules: Rules,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store = store
        self._clock = clock
        self._wakes = wakes
        self._rules = rules
        self._entropy = entropy

    def check_host(self, host: str) -> None:
        """Raise ``AddressRefused`` for an address that is plainly out of reach."""
        self._rules.check_literal(host)

    def find(self, tenant: str, name: str) -> Webhook:
        """Return a webhook; raises ``NotFound``."""
        found = self._store.webhooks.find(tenant, name)
        if found is None:
            raise errors.NotFound("webhook", name[:200])
        return found

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Webhook]:
        """Return webhooks by name."""
        return self._store.webhooks.page(tenant, limit=limit, after=after)

    def put(
        self,
        tenant: str,
        name: str,
        *,
        url: str,
        types: tuple[str, ...],
        description: str,
        paused: bool,
        secret: str | None,
        if_match: int | None = None,
        if_none_match: bool = False,
    ) -> tuple[Webhook, bool]:
        """Make or change a webhook; return it, and whether it is new.

        A new one gets what happens from now on. Without a ``secret`` the old one
        stays, or one is made.
        """

        def make(found: Webhook | None) -> Webhook:
            now = cut(self._clock.now())
            base = found or Webhook(
                name=name,
                tenant=tenant,
                revision=0,
                url=url,
                secret=secret or new_secret(self._entropy),
                position=max(self._store.events.bounds(tenant)),
                created_at=now,
                updated_at=now,
            )
            changed = replace(
                base,
                url=url,
                types=types,
                description=description,
                paused=paused,
                secret=secret or base.secret,
            )
            if changed == found:
                return found
            return replace(changed, revision=base.revision + 1, updated_at=now)

        put = named.put(
            "webhook",
            name,
            find=lambda: self._store.webhooks.find(tenant, name),
            make=make,
            write=lambda webhook, expected: self._store.webhooks.put(
                webhook, expected=expected
            ),
            if_match=if_match,
            if_none_match=if_none_match,
        )
        if put.changed:
            _log.info("webhook written", tenant=tenant, webhook=name)
            self._wakes.publish_events()
        return put.thing, put.before is None

    def delete(self, tenant: str, name: str, *, if_match: int | None) -> None:
        """Remove a webhook, and what was to be sent to it."""
        named.delete(
            "webhook",
            find=partial(self.find, tenant, name),
            remove=lambda revision: self._store.webhooks.delete(
                tenant, name, expected=revision
            ),
            if_match=if_match,
        )
        _log.info("webhook deleted", tenant=tenant, webhook=name)

    def deliveries(
        self, tenant: str, name: str, *, limit: int, after: Position | None
    ) -> Page[Delivery]:
        """Return what was sent or is to be sent, newest event first."""
        self.find(tenant, name)
        return self._store.webhooks.deliveries(tenant, name, limit=limit, after=after)

    def retry(self, tenant: str, name: str, event: str) -> Delivery:
        """Send an event once more, soon, however it went before."""
        self.find(tenant, name)
        for _ in again("delivery"):
            found = self._delivery(tenant, name, event)
            changed = replace(
                found,
                state=DeliveryState.PENDING,
                next_at=cut(self._clock.now()),
                finished_at=None,
            )
            if self._store.webhooks.record(changed, tries=found.tries):
                self._wakes.publish_events()
                return changed
        raise AssertionError("unreachable")

    def _delivery(self, tenant: str, name: str, event: str) -> Delivery:
        try:
            sequence = ids.event_sequence(event)
        except ValueError as exc:
            raise errors.NotFound("delivery", event[:200]) from exc
        found = self._store.webhooks.delivery(tenant, name, sequence=sequence)
        if found is None:
            raise errors.NotFound("delivery", event[:200])
        return found

    def ping(self, tenant: str, name: str) -> tuple[Delivery, str]:
        """Send a test event now, paused or not; return how it went, and its id.

        It is sent once, and not kept.
        """
        webhook = self.find(tenant, name)
        now = cut(self._clock.now())
        event = Event(
            sequence=0,
            tenant=tenant,
            type=PING,
            subject=name,
            schedule=None,
            at=now,
            data={"name": name, "revision": webhook.revision},
        )
        id = ids.timed(ids.EVENT, now, entropy=self._entropy(ids.ENTROPY))
        told = envelope(
            id,
            tenant=tenant,
            kind=PING,
            subject=name,
            at=now,
            data=dict(event.data or {}),
        )
        answer = send(
            webhook,
            told,
            at=now,
            rules=self._rules,
            line=Line(),
            seconds=_PING_SECONDS,
        )
        attempt = Delivery(
            webhook=name, tenant=tenant, event=event, next_at=now, created_at=now
        )
        tried = decided(attempt, answer, now=self._clock.now(), fraction=0)
        if tried.state is DeliveryState.PENDING:
            ended = cut(self._clock.now())
            tried = replace(
                tried, state=DeliveryState.FAILED, next_at=None, finished_at=ended
            )
        return tried, id
