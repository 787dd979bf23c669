"""Webhooks, and how deliveries to them go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from crony.model.event import Event
from crony.model.webhook import Delivery, DeliveryState, Webhook
from crony.storage.contract import Page, Store
from crony.testing.factories import make_delivery, make_webhook
from crony.testing.storage.scene import TENANT, Scene, second


def webhook(store: Store, name: str = "ops", **changes: object) -> Webhook:
    """Store a webhook."""
    made = make_webhook(name=name, **changes)
    assert store.webhooks.put(made, expected=None)
    return made


def happened(store: Store, number: int = 3) -> list[Event]:
    """Let so many events happen; return them all."""
    scene = Scene(store)
    for _ in range(number):
        scene.schedule()
    return scene.events()


def added(store: Store, of: Webhook, *deliveries: Delivery) -> Webhook:
    """Add deliveries; return the webhook as it is stored."""
    position = max(item.event.sequence for item in deliveries)
    assert store.webhooks.advance(of, position=position, deliveries=deliveries, most=99)
    found = store.webhooks.find(of.tenant, of.name)
    assert found is not None
    return found


def due(store: Store, at: float = 0, limit: int = 9) -> list[Delivery]:
    """Return what is due."""
    return [item for item, _ in store.webhooks.due(now=second(at), limit=limit)]


def listed(store: Store, name: str = "ops") -> Sequence[Delivery]:
    """Return all deliveries of a webhook."""
    return store.webhooks.deliveries(TENANT, name, limit=99, after=None).items


class TestWebhooks:
    def test_what_is_written_is_read_again(self, store: Store) -> None:
        made = webhook(
            store, types=("run.failed", "worker.*"), description="x", secret="s3"
        )
        assert store.webhooks.find(TENANT, "ops") == made
        assert store.webhooks.find("other", "ops") is None
        assert not store.webhooks.put(made, expected=None)

    def test_a_webhook_is_replaced_at_its_revision_and_keeps_its_position(
        self, store: Store
    ) -> None:
        made = webhook(store)
        assert store.webhooks.advance(made, position=7, deliveries=(), most=1)
        changed = replace(made, revision=2, url="https://b.example/", position=3)
        assert not store.webhooks.put(changed, expected=2)
        assert store.webhooks.put(changed, expected=1)
        assert store.webhooks.find(TENANT, "ops") == replace(changed, position=7)

    def test_webhooks_are_listed_by_name(self, store: Store) -> None:
        for name in ("b", "c", "a"):
            webhook(store, name, paused=name == "b")
        webhook(store, "d", tenant="other")
        first = store.webhooks.page(TENANT, limit=2, after=None)
        rest = store.webhooks.page(TENANT, limit=2, after=first.next)
        assert [hook.name for hook in first.items + rest.items] == ["a", "b", "c"]
        assert rest.next is None

    def test_those_not_paused_of_all_tenants_are_walked(self, store: Store) -> None:
        for tenant, name, paused in (
            ("other", "a", False),
            (TENANT, "c", False),
            (TENANT, "b", True),
            (TENANT, "a", False),
        ):
            webhook(store, name, tenant=tenant, paused=paused)
        met: list[tuple[str, str]] = []
        page: Page[Webhook] = store.webhooks.walk(limit=1, after=None)
        for _ in range(9):
            assert len(page.items) <= 1
            met += [(hook.tenant, hook.name) for hook in page.items]
            if page.next is None:
                break
            page = store.webhooks.walk(limit=1, after=page.next)
        assert met == [(TENANT, "a"), (TENANT, "c"), ("other", "a")]

    def test_a_webhook_is_deleted_with_its_deliveries(self, store: Store) -> None:
        (event,) = happened(store, 1)
        made = webhook(store)
        added(store, made, make_delivery(made, event))
        assert not store.webhooks.delete(TENANT, "ops", expected=2)
        assert store.webhooks.delete(TENANT, "ops", expected=1)
        assert not store.webhooks.delete(TENANT, "ops", expected=1)
        assert due(store) == []
        webhook(store)
        assert listed(store) == ()

    def test_a_tenants_webhooks_go_with_it(self, store: Store) -> None:
        scene = Scene(store)
        scene.tenant("other")
        webhook(store, tenant="other")
        assert store.tenants.delete("other", expected=1)
        assert store.webhooks.find("other", "ops") is None


class TestAdvance:
    def test_deliveries_are_added_as_the_position_moves(self, store: Store) -> None:
        events = happened(store)
        made = webhook(store)
        moved = added(
            store, made, *(make_delivery(made, event) for event in events[:2])
        )
        assert moved == replace(made, position=events[1].sequence)
        assert [item.event for item in listed(store)] == [events[1], events[0]]

    def test_only_from_the_position_that_is_stored(self, store: Store) -> None:
        events = happened(store)
        made = webhook(store)
        added(store, made, make_delivery(made, events[0]))
        again = make_delivery(made, events[1])
        assert not store.webhooks.advance(
            made, position=events[1].sequence, deliveries=[again], most=99
        )
        assert [item.event for item in listed(store)] == [events[0]]
        found = store.webhooks.find(TENANT, "ops")
        assert found == replace(made, position=events[0].sequence)

    def test_a_webhook_that_is_gone_does_not_count(self, store: Store) -> None:
        (event,) = happened(store, 1)
        made = make_webhook(name="ops")
        assert not store.webhooks.advance(
            made,
            position=event.sequence,
            deliveries=[make_delivery(made, event)],
            most=9,
        )
        assert due(store) == []

    def test_none_are_added_while_too_many_wait(self, store: Store) -> None:
        events = happened(store, 4)
        made = webhook(store)
        items = [make_delivery(made, event) for event in events]

        def advance(of: Webhook, item: Delivery) -> bool:
            return store.webhooks.advance(
                of, position=item.event.sequence, deliveries=[item], most=2
            )

        moved = added(store, made, items[0])
        assert advance(moved, items[1])
        moved = replace(moved, position=events[1].sequence)
        assert not advance(moved, items[2])
        assert store.webhooks.find(TENANT, "ops") == moved
        over = replace(items[0], tries=1, state=DeliveryState.FAILED, next_at=None)
        assert store.webhooks.record(over, tries=0)
        assert advance(moved, items[2])
        assert [item.event for item in listed(store)] == events[2::-1]

    def test_an_event_is_delivered_once_to_each_webhook(self, store: Store) -> None:
        (event,) = happened(store, 1)
        one, two = webhook(store, "one"), webhook(store, "two")
        moved = added(store, one, make_delivery(one, event))
        tried = make_delivery(one, event, tries=1, status=500)
        assert store.webhooks.record(tried, tries=0)
        added(store, moved, make_delivery(one, event))
        added(store, two, make_delivery(two, event))
        assert list(listed(store, "one")) == [tried]
        assert len(listed(store, "two")) == 1


class TestDue:
    def test_the_earliest_come_first_once_their_time_has_come(
        self, store: Store
    ) -> None:
        events = happened(store)
        hooks = [webhook(store, name) for name in ("a", "b", "c")]
        items = [
            make_delivery(hook, event, next_at=second(at))
            for hook, event, at in zip(hooks, events, (3, 1, 2), strict=True)
        ]
        moved = [added(store, h, item) for h, item in zip(hooks, items, strict=True)]
        assert store.webhooks.earliest() == second(1)
        assert due(store, 0.999) == []
        assert due(store, 2) == [items[1], items[2]]
        assert due(store, 9, limit=1) == [items[1]]
        ((_, of),) = store.webhooks.due(now=second(1), limit=9)
        assert of == moved[1]

    def test_of_each_webhook_the_first_alone_is_told(self, store: Store) -> None:
        events = happened(store)
        one, two = webhook(store, "one"), webhook(store, "two")
        mine = [
            make_delivery(one, event, next_at=second(at))
            for event, at in zip(events, (2, 1, 1), strict=True)
        ]
        added(store, one, *mine)
        other = make_delivery(two, events[0], next_at=second(3))
        added(store, two, other)
        assert due(store, 9) == [mine[1], other]
        over = replace(mine[1], tries=1, state=DeliveryState.DELIVERED, next_at=None)
        assert store.webhooks.record(over, tries=0)
        assert due(store, 9) == [mine[2], other]

    def test_webhooks_that_are_left_out_hide_nobody(self, store: Store) -> None:
        (event,) = happened(store, 1)
        for name in ("one", "two"):
            hook = webhook(store, name)
            added(store, hook, make_delivery(hook, event))
        without = [(TENANT, "one"), ("other", "two")]
        ((item, _),) = store.webhooks.due(now=second(9), limit=1, without=without)
        assert item.webhook == "two"
        both = [(TENANT, "one"), (TENANT, "two")]
        assert not store.webhooks.due(now=second(9), limit=9, without=both)

    def test_those_of_a_paused_webhook_wait(self, store: Store) -> None:
        (event,) = happened(store, 1)
        made = webhook(store)
        moved = added(store, made, make_delivery(made, event))
        paused = replace(moved, revision=2, paused=True)
        assert store.webhooks.put(paused, expected=1)
        assert due(store) == []
        assert store.webhooks.earliest() is None
        assert len(listed(store)) == 1
        assert store.webhooks.put(replace(moved, revision=3), expected=2)
        assert len(due(store)) == 1
        assert store.webhooks.earliest() == second(0)

    def test_nothing_is_due_where_there_is_nothing(self, store: Store) -> None:
        assert due(store) == []
        assert store.webhooks.earliest() is None

    def test_an_event_that_was_pruned_is_delivered_all_the_same(
        self, store: Store
    ) -> None:
        (event,) = happened(store, 1)
        made = webhook(store)
        added(store, made, make_delivery(made, event))
        assert store.events.prune(before=second(1), limit=9) == 1
        assert [item.event for item in due(store)] == [event]


class TestRecord:
    @pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.FAILED])
    def test_what_is_over_is_not_due_again(
        self, store: Store, state: DeliveryState
    ) -> None:
        (event,) = happened(store, 1)
        made = webhook(store)
        item = make_delivery(made, event)
        added(store, made, item)
        over = replace(
            item,
            state=state,
            tries=1,
            next_at=None,
            status=204,
            error="x",
            finished_at=second(1),
        )
        assert store.webhooks.record(over, tries=0)
        assert due(store, 99) == []
        assert store.webhooks.earliest() is None
        assert list(listed(store)) == [over]

    def test_what_failed_is_due_again_later(self, store: Store) -> None:
        (event,) = happened(store, 1)
        made = webhook(store)
        item = make_delivery(made, event)
        added(store, made, item)
        later = replace(item, tries=1, next_at=second(30), status=503)
        assert store.webhooks.record(later, tries=0)
        assert due(store, 29) == []
        assert due(store, 30) == [later]

    def test_of_two_that_tried_at_once_one_counts(self, store: Store) -> None:
        (event,) = happened(store, 1)
        made = webhook(store)
        item = make_delivery(made, event)
        added(store, made, item)
        first = replace(item, tries=1, status=200)
        other = replace(item, tries=1, status=500)
        assert store.webhooks.record(first, tries=0)
        assert not store.webhooks.record(other, tries=0)
        assert list(listed(store)) == [first]
        assert store.webhooks.record(replace(other, tries=2), tries=1)

    def test_a_delivery_that_is_gone_does_not_count(self, store: Store) -> None:
        (event,) = happened(store, 1)
        made = webhook(store)
        assert not store.webhooks.record(make_delivery(made, event, tries=1), tries=0)
        assert listed(store) == ()


class TestDeliveries:
    def test_the_newest_event_comes_first_and_pages_follow_each_other(
        self, store: Store
    ) -> None:
        events = happened(store)
        made = webhook(store)
        added(store, made, *(make_delivery(made, event) for event in events))
        first = store.webhooks.deliveries(TENANT, "ops", limit=2, after=None)
        rest = store.webhooks.deliveries(TENANT, "ops", limit=2, after=first.next)
        assert [item.event for item in first.items + rest.items] == events[::-1]
        assert rest.next is None
        other = store.webhooks.deliveries("other", "ops", limit=2, after=None)
        assert other == Page((), None)

    def test_one_is_found_by_the_sequence_of_its_event(self, store: Store) -> None:
        events = happened(store, 2)
        made = webhook(store)
        item = make_delivery(made, events[0])
        added(store, made, item)

        def found(tenant: str, name: str, event: Event) -> Delivery | None:
            return store.webhooks.delivery(tenant, name, sequence=event.sequence)

        assert found(TENANT, "ops", events[0]) == item
        assert found(TENANT, "ops", events[1]) is None
        assert found("other", "ops", events[0]) is None
        assert found(TENANT, "other", events[0]) is None

    def test_those_that_ended_long_ago_are_forgotten(self, store: Store) -> None:
        events = happened(store, 4)
        made = webhook(store)
        items = [make_delivery(made, event) for event in events]
        added(store, made, *items)
        for number, item in enumerate(items[:3]):
            over = replace(
                item,
                state=DeliveryState.DELIVERED,
                tries=1,
                next_at=None,
                finished_at=second(number),
            )
            assert store.webhooks.record(over, tries=0)
        assert store.webhooks.prune(before=second(2), limit=1) == 1
        assert store.webhooks.prune(before=second(2), limit=9) == 1
        assert store.webhooks.prune(before=second(2), limit=9) == 0
        left = [item.event for item in listed(store)]
        assert left == [events[3], events[2]]
