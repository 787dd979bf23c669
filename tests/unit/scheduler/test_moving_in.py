"""Moving house: everything arrives, or is refused line by line."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from crony import errors
from crony.model.worker import Role
from crony.scheduler.keys import FIRST_KEY
from crony.scheduler.moving.arrival import STEP
from crony.testing.factories import make_key, make_schedule, make_webhook
from crony.testing.storage import moving
from crony.testing.storage.scene import Scene
from tests.unit.scheduler.moves import export, kinds, move, take
from tests.unit.scheduler.stage import MINUTE, TENANT, Stage


class TestArriving:
    def test_all_is_there_afterwards(self, there: Stage, here: Stage) -> None:
        moving.fill(Scene(there.store))
        key = make_key(role=Role.EDITOR)
        there.store.keys.insert(key)
        move(there, here)
        assert moving.schedules(here.store) == moving.schedules(there.store)
        before = {item.run.id: item for item in moving.runs(there.store)}
        for item in moving.runs(here.store):
            same = before[item.run.id]
            grown = 0 if item.run.over else STEP
            assert item.run == replace(same.run, token=same.run.token + grown)
            assert (item.output, item.says) == (same.output, same.says)
        for name in ("groups", "profiles"):
            ours, theirs = getattr(here.store, name), getattr(there.store, name)
            assert ours.page(TENANT, limit=9, after=None) == theirs.page(
                TENANT, limit=9, after=None
            )
        assert here.store.keys.by_digest(key.digest) == key
        ours_, theirs_ = (s.store.tenants.find(TENANT) for s in (here, there))
        assert ours_ is not None
        assert theirs_ is not None
        assert (ours_.quotas, ours_.profile) == (theirs_.quotas, theirs_.profile)
        assert ours_.held

    def test_the_same_again_changes_nothing(self, there: Stage, here: Stage) -> None:
        moving.fill(Scene(there.store))
        there.store.webhooks.put(make_webhook(), expected=None)
        move(there, here)
        before = [list(look(here.store)) for look in (moving.schedules, moving.runs)]
        assert move(there, here)["stored"] == 0
        after = [list(look(here.store)) for look in (moving.schedules, moving.runs)]
        assert after == before

    def test_a_tenant_brings_its_profile(self, there: Stage, here: Stage) -> None:
        there.profile("slow")
        tenant = there.service.tenants.find(TENANT)
        there.service.tenants.put(TENANT, quotas=tenant.quotas, profile="slow")
        move(there, here)
        assert here.service.tenants.find(TENANT).profile == "slow"

    def test_pieces_may_come_one_by_one_and_again(
        self, there: Stage, here: Stage
    ) -> None:
        moving.fill(Scene(there.store))
        header, *lines = export(there)
        for line in lines:
            for _ in range(2):
                (_, outcome) = take(here, [header, line])
                assert outcome.error is None
        assert moving.schedules(here.store) == moving.schedules(there.store)
        assert len(moving.runs(here.store)) == len(moving.runs(there.store))

    def test_a_bad_line_is_named_and_spoils_no_other(
        self, there: Stage, here: Stage
    ) -> None:
        moving.fill(Scene(there.store))
        lines = export(there)
        first = kinds(lines).index("run") + 1
        spoilt = json.loads(lines[first])
        spoilt["value"]["run"]["priority"] = "high"
        odd = json.loads(lines[first + 1])
        del odd["value"]["run"]["queue"]
        good = lines.copy()
        lines[first] = json.dumps(spoilt).encode()
        lines[first + 1] = json.dumps(odd).encode()
        lines.insert(first + 2, b'{"kind": "run"\n')
        lines.insert(first + 3, b'{"kind": "cat", "value": {}}\n')
        refused = [each for each in take(here, lines) if each.word == "refused"]
        assert [each.line for each in refused] == list(range(first + 1, first + 5))
        faults = [each.error for each in refused]
        assert str(faults[0]) == "/value/run/priority: must be a whole number"
        assert "is no run as an export has it" in str(faults[1])
        assert isinstance(faults[2], errors.MalformedBody)
        assert "/kind: must be one of header" in str(faults[3])
        assert len(moving.runs(here.store)) == len(moving.runs(there.store)) - 2
        # What was refused is not taken for gone, and comes when it is mended.
        assert not [each for each in take(here, good) if each.error]
        assert len(moving.runs(here.store)) == len(moving.runs(there.store))

    def test_a_piece_begins_with_the_header_of_a_known_format(
        self, there: Stage, here: Stage
    ) -> None:
        header, *lines = export(there)
        newer = json.loads(header)
        newer["value"]["format"] = 99
        for piece in ([], lines, [json.dumps(newer).encode(), *lines]):
            with pytest.raises(errors.InvalidBody):
                list(here.service.arriving.take(piece))

    def test_lines_of_another_tenant_are_refused(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one")
        Scene(here.store).tenant("mine")
        outcomes = take(here, export(there), tenant="mine")
        refused = [each for each in outcomes if each.word == "refused"]
        assert len(refused) == len(outcomes) - 2
        assert all(isinstance(each.error, errors.Forbidden) for each in refused)
        assert not moving.schedules(here.store)

    def test_a_key_brings_no_more_than_who_brings_it_has(
        self, there: Stage, here: Stage
    ) -> None:
        for role in (Role.ADMIN, Role.OPERATOR):
            there.store.keys.insert(make_key(role=role))
        lines = export(there)
        refused = [e for e in take(here, lines, admin=False) if e.word == "refused"]
        assert [each.kind for each in refused] == ["key"]
        assert isinstance(refused[0].error, errors.Forbidden)
        assert not [each for each in take(here, lines) if each.word == "refused"]

    def test_the_admin_keys_of_both_first_starts_work(
        self, there: Stage, here: Stage
    ) -> None:
        theirs, ours = (make_key(id=FIRST_KEY, role=Role.ADMIN) for _ in range(2))
        theirs = replace(theirs, digest=make_key().digest)
        assert there.store.keys.insert(theirs)
        assert here.store.keys.insert(ours)
        lines = export(there)
        for word in ("stored", "unchanged"):
            (moved,) = [e for e in take(here, lines) if e.kind == "key"]
            assert moved.word == word
        keys = here.store.keys
        assert keys.by_digest(ours.digest) == ours
        arrived = keys.by_digest(theirs.digest)
        assert arrived is not None
        assert replace(arrived, id=FIRST_KEY) == theirs
        # And back: there it is the one that it was.
        assert {e.word for e in take(there, export(here)) if e.kind == "key"} == {
            "stored",
            "unchanged",
        }
        assert keys.by_digest(theirs.digest) == arrived

    def test_a_tenant_with_schedules_of_its_own_takes_nothing_in(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one")
        here.add(name="mine")
        refused = [e for e in take(here, export(there)) if e.word == "refused"]
        assert isinstance(refused[0].error, errors.InUse)
        assert "has 1 schedules of its own and is not held" in str(refused[0].error)
        assert [each.kind for each in refused][:2] == ["tenant", "group"]
        (only,) = moving.schedules(here.store)
        assert only.schedule is not None
        assert only.schedule.definition.name == "mine"

    def test_so_does_one_that_was_activated(self, there: Stage, here: Stage) -> None:
        there.add(name="one")
        move(there, here)
        here.service.releasing.activate(TENANT)
        refused = [e for e in take(here, export(there)) if e.word == "refused"]
        assert isinstance(refused[0].error, errors.InUse)

    def test_a_webhook_without_its_secret_is_paused(
        self, there: Stage, here: Stage
    ) -> None:
        webhook = make_webhook()
        there.store.webhooks.put(webhook, expected=None)
        take(here, export(there))
        found = here.store.webhooks.find(TENANT, webhook.name)
        assert found is not None
        assert found.paused
        assert found.secret not in ("", webhook.secret)
        take(here, export(there, secrets=True))
        found = here.store.webhooks.find(TENANT, webhook.name)
        assert found is not None
        assert (found.paused, found.secret) == (False, webhook.secret)

    def test_a_schedule_that_is_not_there_has_no_runs(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one")
        there.tick(MINUTE)
        lines = [line for line in export(there) if b'"kind":"schedule"' not in line]
        refused = [each for each in take(here, lines) if each.word == "refused"]
        assert {each.kind for each in refused} == {"run"}
        assert all(isinstance(each.error, errors.NotFound) for each in refused)
        assert make_schedule().id != schedule.id
