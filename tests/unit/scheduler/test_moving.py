"""Moving house: everything arrives, again and again, and nothing runs twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from crony import errors
from crony.model.policy import AT_MOST_ONCE, LATEST, NONE
from crony.model.state import AttemptState, Reason, RunState, ScheduleState
from crony.model.trigger import Cron
from crony.model.worker import Role
from crony.scheduler.keys import FIRST_KEY
from crony.scheduler.moving import Outcome, Place
from crony.scheduler.moving.arrival import STEP
from crony.scheduler.reasons import Code
from crony.storage import open_store
from crony.testing.factories import make_key, make_schedule, make_webhook
from crony.testing.storage import moving
from crony.testing.storage.scene import Scene
from tests.unit.scheduler.stage import (
    HOUR,
    MINUTE,
    SECOND,
    TENANT,
    Stage,
    at,
    held,
    policy,
)
from tests.unit.scheduler.test_pruner import prune


@pytest.fixture
def there() -> Stage:
    """The service that a tenant moves out of."""
    store = open_store("memory://")
    store.migrate()
    store.open()
    return Stage(store)


@pytest.fixture
def here(stage: Stage) -> Stage:
    """The service that it moves into."""
    return stage


def export(stage: Stage, **options: object) -> list[bytes]:
    """Return the lines of the tenant."""
    return list(stage.service.departure.lines((TENANT,), **options))  # type: ignore[arg-type]  # the test's


def take(stage: Stage, lines: Sequence[bytes], **options: object) -> list[Outcome]:
    """Take lines in; return what became of each, in order."""
    outcomes = list(stage.service.arriving.take(lines, **options))  # type: ignore[arg-type]  # the test's
    assert sorted(each.line for each in outcomes) == list(range(1, len(lines) + 1))
    return sorted(outcomes, key=lambda each: each.line)


def move(there: Stage, here: Stage) -> Counter[str]:
    """Move the tenant; return how often what became of a line."""
    here.clock.set(there.clock.now())
    outcomes = take(here, export(there))
    assert not [each for each in outcomes if each.error is not None]
    return Counter(each.word for each in outcomes)


def kinds(lines: Sequence[bytes]) -> list[str]:
    return [json.loads(line)["kind"] for line in lines]


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


class TestLastImport:
    def test_a_run_that_ended_there_since_is_over_here(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one")
        there.tick(MINUTE)
        worker = there.worker()
        offers = there.start(worker)
        move(there, here)
        (waiting,) = (i for i in moving.runs(here.store) if i.run.lost)
        assert waiting.run.state is RunState.PENDING
        for offer in offers:
            there.end(worker, offer)
        there.live(2 * MINUTE)
        move(there, here)
        assert {i.run.id: i.run.state for i in moving.runs(here.store)} == {
            i.run.id: i.run.state for i in moving.runs(there.store)
        }
        assert here.found(schedule) == there.found(schedule)

    def test_runs_that_were_pruned_there_since_go_here(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one", policy=policy(max_concurrent=9))
        there.live(5 * MINUTE)
        worker = there.worker(slots=9)
        for offer in there.start(worker, slots=9):
            there.end(worker, offer)
        move(there, here)
        before = len(moving.runs(here.store))
        now = there.clock.now()
        gone = there.store.runs.prune(
            TENANT, schedule.id, keep=1, before=now - HOUR, now=now, limit=99
        )
        assert gone > 2
        move(there, here)
        assert len(moving.runs(here.store)) == before - gone
        assert here.store.runs.pruned(TENANT, schedule.id) == there.store.runs.pruned(
            TENANT, schedule.id
        )

    def test_a_schedule_that_was_deleted_and_forgotten_there_goes_here(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one")
        move(there, here)
        there.delete(schedule)
        now = there.clock.now()
        there.store.runs.prune(
            TENANT, schedule.id, keep=0, before=now, now=now, limit=99
        )
        move(there, here)
        here.service.releasing.activate(TENANT)
        with pytest.raises(errors.NotFound):
            here.found(schedule)
        here.live(5 * MINUTE)
        assert not here.runs()

    def test_what_was_here_before_is_not_taken_for_gone(
        self, there: Stage, here: Stage
    ) -> None:
        mine = here.add(name="mine")
        here.tick(MINUTE)
        here.delete(mine)
        before = {run.id for run in here.runs()}
        assert before
        there.add(name="one")
        there.tick(2 * MINUTE)
        for _ in range(2):
            move(there, here)
        found = {run.id for run in here.runs()}
        assert before < found
        assert found - before == {run.id for run in there.runs()}

    def test_names_that_went_from_one_to_another_do_so_here(
        self, there: Stage, here: Stage
    ) -> None:
        first, second = there.add(name="one"), there.add(name="two")
        move(there, here)
        there.edit(second, name="three")
        there.edit(first, name="two")
        move(there, here)
        assert here.found(first).definition.name == "two"
        assert here.found(second).definition.name == "three"

    def test_nothing_is_pruned_while_the_tenant_is_held(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one", policy=policy(max_concurrent=9, misfire=NONE))
        there.live(2 * MINUTE)
        worker = there.worker(slots=9)
        offers = there.start(worker, slots=9)
        for offer in offers:
            there.end(worker, offer)
        move(there, here)
        before = moving.runs(here.store)
        here.advance(timedelta(days=1000))
        prune(here)
        assert moving.runs(here.store) == before
        here.service.releasing.activate(TENANT)
        prune(here)
        left = {item.run.id for item in moving.runs(here.store)}
        assert not left & {offer.run.id for offer in offers}


class TestInHands:
    def test_what_was_offered_is_pending_and_was_never_tried(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one")
        there.tick(MINUTE)
        assert there.poll(there.worker()).offers
        move(there, here)
        run = here.runs(schedule)[0]
        assert (run.state, run.attempt, run.lost) == (RunState.PENDING, 0, 0)
        assert run.token == STEP + 1

    def test_what_ran_is_pending_and_its_attempt_lost(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one")
        there.tick(MINUTE)
        worker = there.worker()
        (offer,) = there.start(worker)
        move(there, here)
        run = here.service.runs.find(TENANT, offer.run.id)
        assert (run.state, run.reason) == (RunState.PENDING, Reason.LOST)
        assert (run.lost, run.token) == (1, offer.token + STEP)
        (attempt,) = run.attempts
        assert (attempt.state, attempt.reason) == (AttemptState.LOST, Reason.LOST)
        assert attempt.finished_at == there.clock.now()

    def test_what_must_not_start_twice_has_failed(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one", policy=policy(delivery=AT_MOST_ONCE))
        there.tick(MINUTE)
        (offer,) = there.start(there.worker())
        move(there, here)
        run = here.service.runs.find(TENANT, offer.run.id)
        assert (run.state, run.reason) == (RunState.FAILED, Reason.LOST)
        assert run.finished_at == there.clock.now()

    def test_what_was_being_stopped_has_stopped(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one")
        there.tick(MINUTE)
        (offer,) = there.start(there.worker())
        there.service.runs.cancel(TENANT, offer.run.id)
        move(there, here)
        run = here.service.runs.find(TENANT, offer.run.id)
        assert (run.state, run.reason) == (RunState.CANCELLED, Reason.USER)

    def test_a_report_of_a_worker_of_there_counts_for_nothing_here(
        self, there: Stage, here: Stage
    ) -> None:
        there.add(name="one")
        there.tick(MINUTE)
        worker = there.worker()
        (offer,) = there.start(worker)
        move(there, here)
        here.service.releasing.activate(TENANT)
        here.tick()
        again = here.worker()
        (given,) = here.poll(again, holding=held([offer])).offers
        assert given.run.id == offer.run.id
        assert given.token == offer.token + STEP + 1
        closed = here.end(again, offer)
        assert closed.standing in ("unknown", "stale")
        assert here.service.runs.find(TENANT, offer.run.id).state is RunState.LEASED


class TestActivation:
    def test_until_then_nothing_happens(self, there: Stage, here: Stage) -> None:
        schedule = there.add(name="one")
        there.tick(MINUTE)
        move(there, here)
        worker = here.worker()
        before = len(here.runs())
        here.live(3 * MINUTE)
        assert len(here.runs()) == before
        assert not here.poll(worker).offers
        because = here.service.why.of(TENANT, "one").because
        assert because.code is Code.HELD
        assert "crony import --activate" in because.detail
        (view,) = here.service.schedules.views([here.found(schedule)])
        assert "held" in [warning.code for warning in view.warnings]
        assert here.service.releasing.held_tenants() == 1

    def test_from_then_on_it_goes_on(self, there: Stage, here: Stage) -> None:
        there.add(name="one")
        there.tick(MINUTE)
        move(there, here)
        here.live(3 * MINUTE)
        here.service.releasing.activate(TENANT)
        here.live(2 * MINUTE)
        worker = here.worker()
        assert here.poll(worker).offers
        assert here.service.why.of(TENANT, "one").because.code is not Code.HELD
        found = here.service.audit.span(
            TENANT, since=at("12:00:00"), until=here.clock.now(), limit=9
        )
        assert not found.gaps

    @pytest.mark.parametrize(
        ("mode", "late"), [(NONE, 0), (LATEST, 1)], ids=["none", "latest"]
    )
    def test_what_came_due_meanwhile_is_a_misfire(
        self, there: Stage, here: Stage, mode: str, late: int
    ) -> None:
        schedule = there.add(name="one", policy=policy(misfire=mode))
        move(there, here)
        before = {run.id for run in here.runs(schedule)}
        # Also what is due less than ten seconds before.
        here.advance(10 * MINUTE + 2 * SECOND)
        here.service.releasing.activate(TENANT)
        here.tick()
        runs = [run for run in here.runs(schedule) if run.id not in before]
        caught = [run for run in runs if run.catch_up]
        missed = [run for run in runs if run.state is RunState.MISSED]
        assert len(caught) == late
        assert sum(run.range_count for run in missed) == 10 - late
        assert not [r for r in runs if r.state is RunState.PENDING and not r.catch_up]

    def test_it_may_be_done_again(self, there: Stage, here: Stage) -> None:
        there.add(name="one")
        move(there, here)
        here.advance(5 * MINUTE)
        first = here.service.releasing.activate(TENANT)
        assert here.service.releasing.activate(TENANT) == first
        with pytest.raises(errors.NotFound):
            here.service.releasing.activate("nobody")

    def test_cursors_follow_the_time_zones_of_here(
        self, there: Stage, here: Stage
    ) -> None:
        schedule = there.add(name="one", trigger=Cron("0 3 * * *", "Europe/Berlin"))
        (moved,) = moving.schedules(there.store)
        assert moved.schedule is not None
        wrong = replace(
            moved.schedule, rules="of another release", cursor=at("23:17:00")
        )
        move(there, here)
        here.store.moving.put_schedules([replace(moved, schedule=wrong)])
        here.service.releasing.activate(TENANT)
        found = here.found(schedule)
        assert (found.cursor, found.rules) == (
            moved.schedule.cursor,
            moved.schedule.rules,
        )


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


def test_a_schedule_that_is_not_there_has_no_runs(there: Stage, here: Stage) -> None:
    schedule = there.add(name="one")
    there.tick(MINUTE)
    lines = [line for line in export(there) if b'"kind":"schedule"' not in line]
    refused = [each for each in take(here, lines) if each.word == "refused"]
    assert {each.kind for each in refused} == {"run"}
    assert all(isinstance(each.error, errors.NotFound) for each in refused)
    assert make_schedule().id != schedule.id
