"""Records that go by themselves come into a store: all but schedules and runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from crony import errors
from crony.clock import Clock
from crony.model.group import Group, Profile
from crony.model.webhook import Webhook
from crony.model.worker import Key, Role, Tenant
from crony.scheduler.contention import again
from crony.scheduler.delivery import new_secret
from crony.scheduler.keys import FIRST_KEY, renamed
from crony.scheduler.moving.comparing import remove_behind
from crony.scheduler.moving.lines import End, Record, Runs
from crony.scheduler.moving.releasing import held_by
from crony.storage.contract import Store


class Single:
    """Stores records one by one."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        entropy: Callable[[int], bytes],
        *,
        admin: bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._admin = admin

    def put(self, record: Record) -> bool:
        """Store what a record says; return whether it changed anything."""
        value = record.value
        match value:
            case Tenant():
                return held_by(self._store, self._clock, value, profile=False)
            case Profile():
                return self._profile(value)
            case Group():
                return self._group(value)
            case Key():
                return self._key(value)
            case Webhook():
                return self._webhook(value)
            case Runs():
                return remove_behind(self._store, record)
            case End():
                return held_by(self._store, self._clock, value.tenant, profile=True)
        raise AssertionError(f"a {record.kind} does not go by itself")

    def _profile(self, profile: Profile) -> bool:
        profiles = self._store.profiles
        for _ in again("profile"):
            found = profiles.find(profile.tenant, profile.name)
            if found == profile:
                return False
            if profiles.put(profile, expected=found.revision if found else None):
                return True
        raise AssertionError("unreachable")

    def _group(self, group: Group) -> bool:
        groups = self._store.groups
        for _ in again("group"):
            found = groups.find(group.tenant, group.name)
            if found == group:
                return False
            if groups.put(group, expected=found.revision if found else None)[0]:
                return True
        raise AssertionError("unreachable")

    def _key(self, key: Key) -> bool:
        # SECURITY: a key may not bring more than who brings it has.
        if key.role is Role.WORKER:
            raise errors.Forbidden("keys of workers do not move: register them anew")
        if key.role is Role.ADMIN and not self._admin:
            raise errors.Forbidden("only an admin key may bring an admin key")
        known = self._store.keys.by_digest(key.digest)
        if known is not None:
            if (known.tenant, known.role) != (key.tenant, key.role):
                raise errors.Conflict(f"the key {known.id} has the same secret")
            return False
        if self._store.keys.insert(key):
            return True
        if key.id == FIRST_KEY and self._store.keys.insert(renamed(key)):
            # Each store has a key of that id, of its own first start.
            return True
        raise errors.Conflict("the id is another key's")

    def _webhook(self, webhook: Webhook) -> bool:
        webhooks = self._store.webhooks
        for _ in again("webhook"):
            found = webhooks.find(webhook.tenant, webhook.name)
            position = max(self._store.events.bounds(webhook.tenant))
            arriving = replace(
                webhook, position=position if found is None else found.position
            )
            if not webhook.secret:
                # Who receives must be told the new secret first.
                arriving = replace(
                    arriving,
                    secret=found.secret if found else new_secret(self._entropy),
                    paused=True,
                )
            if found == arriving:
                return False
            if webhooks.put(arriving, expected=found.revision if found else None):
                return True
        raise AssertionError("unreachable")
