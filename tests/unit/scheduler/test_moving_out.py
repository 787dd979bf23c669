"""Moving house: what a tenant has leaves as lines, and nothing begins meanwhile."""

from __future__ import annotations

import json

import pytest

from crony import errors
from crony.model.state import RunState, ScheduleState
from crony.scheduler.moving import Place
from crony.testing.factories import make_key, make_webhook
from crony.testing.storage import moving
from crony.testing.storage.scene import Scene
from tests.unit.scheduler.moves import export, kinds, take
from tests.unit.scheduler.stage import MINUTE, SECOND, TENANT, Stage


class TestLeaving:
    def test_each_record_comes_after_what_it_refers_to(self, there: Stage) -> None:
        scene = Scene(there.store)
        moving.fill(scene)
        assert there.store.keys.insert(make_key())
        assert there.store.webhooks.put(make_webhook(), expected=None)
        found = kinds(export(there))
        order = [
            *("header", "tenant", "profile", "group", "key"),
            *("schedule", "run", "runs", "webhook", "end", "complete"),
        ]
        assert list(dict.fromkeys(found)) == order
        assert found == sorted(found, key=order.index)

    def test_an_export_goes_on_behind_any_line(self, there: Stage) -> None:
        moving.fill(Scene(there.store))
        there.store.keys.insert(make_key())
        there.store.keys.insert(make_key())
        there.store.webhooks.put(make_webhook(), expected=None)
        lines = export(there)
        for number, line in enumerate(lines):
            place = json.loads(line)["place"]
            if not place:
                continue
            rest = export(there, after=Place.of(place))
            assert [json.loads(each)["place"] for each in rest] == [
                json.loads(each)["place"] for each in lines[number + 1 :]
            ]
            # The instant at which it is complete is another one.
            assert rest[:-1] == lines[number + 1 : -1]

    def test_secrets_stay_unless_they_are_asked_for(self, there: Stage) -> None:
        webhook = make_webhook()
        there.store.webhooks.put(webhook, expected=None)
        worker = there.worker()
        assert webhook.secret not in b"".join(export(there)).decode()
        assert webhook.secret in b"".join(export(there, secrets=True)).decode()
        assert worker.id not in b"".join(export(there)).decode()

    def test_all_tenants_leave_together(self, there: Stage, here: Stage) -> None:
        Scene(there.store).schedule(tenant="zeta")
        there.add(name="one")
        lines = list(there.service.departure.lines(None))
        assert kinds(lines).count("end") == 2
        assert not [each for each in take(here, lines) if each.error]
        for name in (TENANT, "zeta"):
            assert moving.schedules(here.store, tenant=name) == moving.schedules(
                there.store, tenant=name
            )
        with pytest.raises(errors.NotFound):
            next(there.service.departure.lines(("nobody",)))


class TestHolding:
    def test_the_source_goes_on_with_what_it_has_and_begins_nothing(
        self, there: Stage
    ) -> None:
        there.add(name="one")
        there.tick(MINUTE)
        worker = there.worker()
        (offer,) = there.start(worker)
        there.service.releasing.hold(TENANT)
        before = len(there.runs())
        there.live(30 * SECOND)
        there.end(worker, offer)
        there.live(3 * MINUTE)
        assert len(there.runs()) == before
        assert not there.poll(worker).offers
        found = there.service.runs.find(TENANT, offer.run.id)
        assert found.state is RunState.SUCCEEDED

    def test_it_can_be_let_go_again(self, there: Stage) -> None:
        schedule = there.add(name="one")
        there.service.releasing.hold(TENANT)
        there.live(3 * MINUTE)
        there.service.releasing.activate(TENANT)
        there.live(MINUTE)
        assert len(there.runs(schedule)) >= 4
        assert there.found(schedule).state is ScheduleState.ACTIVE
