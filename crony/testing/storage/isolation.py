"""What is of another tenant is not there, whoever knows its id."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crony import errors
from crony.model.lease import Holding, Standing
from crony.model.run import Run
from crony.model.state import AttemptState, RunState
from crony.model.worker import Worker
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import AHEAD, LEASE_TTL, TENANT, Scene, second

OTHER = "other"


@pytest.fixture
def neighbours(store: Store) -> Scene:
    """A store in which another tenant is as well."""
    scene = Scene(store)
    scene.tenant(OTHER)
    return scene


def running(neighbours: Scene) -> tuple[Worker, Holding, Run]:
    """Return a worker, what it executes, and that run."""
    run = neighbours.manual(neighbours.schedule())
    worker = neighbours.worker()
    (item,) = neighbours.start(worker)
    return worker, item, run


class TestOfSchedules:
    def test_definitions_and_versions_are_their_tenants(
        self, neighbours: Scene
    ) -> None:
        schedule = neighbours.schedule()
        of = neighbours.store.schedules
        assert of.definition(TENANT, schedule.id, 1) == schedule.definition
        assert of.definition(OTHER, schedule.id, 1) is None
        assert len(of.versions(TENANT, schedule.id, until=None, limit=9)) == 1
        assert not of.versions(OTHER, schedule.id, until=None, limit=9)

    def test_so_are_the_records_of_their_occurrences(self, neighbours: Scene) -> None:
        schedule = neighbours.schedule()
        (run,) = neighbours.due(schedule, 0)
        of = neighbours.store.runs
        found = of.standing_at(TENANT, schedule.id, second(1))
        assert found is not None
        assert found.id == run.id
        assert of.standing_at(OTHER, schedule.id, second(1)) is None

    def test_nothing_of_another_tenant_is_pruned(self, neighbours: Scene) -> None:
        schedule = neighbours.schedule()
        neighbours.due(schedule, 0, state=RunState.MISSED, finished_at=second(0))
        later = second(99)

        def prune(tenant: str) -> int:
            return neighbours.store.runs.prune(
                tenant, schedule.id, keep=0, before=later, now=later, limit=9
            )

        assert prune(OTHER) == 0
        assert len(neighbours.runs()) == 1
        assert prune(TENANT) == 1
        assert neighbours.store.runs.pruned(TENANT, schedule.id) is not None
        assert neighbours.store.runs.pruned(OTHER, schedule.id) is None

    def test_what_is_left_of_a_deleted_one_stays_its_tenants(
        self, neighbours: Scene
    ) -> None:
        schedule = neighbours.schedule()
        neighbours.manual(schedule)
        neighbours.delete(schedule)
        of = neighbours.store.schedules
        assert of.definition(TENANT, schedule.id, 1) is not None
        assert of.definition(OTHER, schedule.id, 1) is None
        assert not of.versions(OTHER, schedule.id, until=None, limit=9)

    def test_live_parts_are_told_to_their_tenant_alone(self, neighbours: Scene) -> None:
        worker, item, run = running(neighbours)
        entry = factories.make_progress(run.id)
        store = neighbours.store
        assert (
            store.leases.progress(TENANT, worker.id, item.token, entry)
            is Standing.ACCEPTED
        )
        neighbours.report(worker, item, AttemptState.FAILED)
        names = [run.schedule, factories.make_id("sch_")]
        for look in (store.runs.recent, store.runs.errors, store.runs.progress):
            assert list(look(TENANT, names, limit=9)) == [run.schedule]
            assert not look(OTHER, names, limit=9)


class TestOfWorkers:
    def test_a_worker_of_another_tenant_is_not_found(self, neighbours: Scene) -> None:
        worker, item, _ = running(neighbours)
        leases = neighbours.store.leases
        with pytest.raises(errors.NotFound):
            leases.begin(
                OTHER, worker.id, session="session", sequence=9, now=neighbours.now
            )
        with pytest.raises(errors.NotFound):
            leases.renew(
                OTHER,
                worker.id,
                session="session",
                holding=[item],
                now=neighbours.after(1),
                lease_ttl=LEASE_TTL,
            )
        with pytest.raises(errors.NotFound):
            leases.reclaim(
                OTHER,
                worker.id,
                session="session",
                sequence=1,
                holding=(),
                now=neighbours.now,
            )
        with pytest.raises(errors.NotFound):
            leases.lease(
                OTHER,
                worker.id,
                session="session",
                sequence=1,
                slots=1,
                horizon=neighbours.now + AHEAD,
                now=neighbours.now,
                lease_ttl=LEASE_TTL,
            )
        found = neighbours.store.workers.find(TENANT, worker.id)
        assert found is not None
        assert (found.sequence, found.seen_at) == (1, START)
        assert neighbours.run(item.run).state is RunState.RUNNING

    def test_what_it_says_is_of_nothing_that_is_known(self, neighbours: Scene) -> None:
        worker, item, run = running(neighbours)
        store = neighbours.store
        (confirmed,) = store.leases.confirm(
            OTHER, worker.id, [item], now=neighbours.now, lease_ttl=LEASE_TTL
        )
        assert (confirmed.standing, confirmed.state) == (Standing.UNKNOWN, None)
        closing = factories.make_closing(
            item.run, item.token, finished_at=neighbours.now
        )
        (closed,), ready = store.leases.report(
            OTHER, worker.id, [closing], now=neighbours.now
        )
        assert (closed.standing, closed.state) == (Standing.UNKNOWN, None)
        assert not ready
        entry = factories.make_progress(run.id)
        said = store.leases.progress(OTHER, worker.id, item.token, entry)
        assert said is Standing.UNKNOWN
        chunk = factories.make_chunk(b"x")
        said = store.logs.append(
            OTHER, worker.id, run.id, item.token, [chunk], head=9, bound=9
        )
        assert said is Standing.UNKNOWN
        stored = neighbours.run(run)
        assert (stored.state, stored.progress) == (RunState.RUNNING, None)
        assert stored.attempts[0].log_bytes == 0

    def test_a_worker_of_this_tenant_has_no_run_of_another(
        self, neighbours: Scene
    ) -> None:
        _, item, _ = running(neighbours)
        stranger = neighbours.worker(tenant=OTHER, name="host-b")
        (answer,) = neighbours.confirm(stranger, item)
        assert answer.standing is Standing.UNKNOWN
        assert neighbours.report(stranger, item).standing is Standing.UNKNOWN

    def test_inputs_and_output_are_read_by_their_tenant_alone(
        self, neighbours: Scene
    ) -> None:
        worker, item, run = running(neighbours)
        store = neighbours.store
        chunk = factories.make_chunk(b"x")
        store.logs.append(
            TENANT, worker.id, run.id, item.token, [chunk], head=9, bound=9
        )
        assert list(store.leases.inputs(TENANT, [run.id])) == [run.id]
        assert not store.leases.inputs(OTHER, [run.id])
        chunks, closed = store.logs.read(TENANT, run.id, attempt=1, after=0)
        assert (b"".join(c.data for c in chunks), closed) == (b"x", False)
        assert store.logs.read(OTHER, run.id, attempt=1, after=0) == ((), True)

    def test_what_workers_execute_is_told_to_their_tenant_alone(
        self, neighbours: Scene
    ) -> None:
        worker, _, run = running(neighbours)
        workers = neighbours.store.workers
        assert workers.running(TENANT, [worker.id]) == {worker.id: [run.id]}
        assert workers.running(OTHER, [worker.id]) == {worker.id: []}

    def test_the_key_of_another_tenant_is_not_touched(self, neighbours: Scene) -> None:
        key = factories.make_key()
        keys = neighbours.store.keys
        assert keys.insert(key)
        keys.touch(OTHER, {key.id: second(1)})
        found = keys.find(TENANT, key.id)
        assert found is not None
        assert found.used_at is None
        keys.touch(TENANT, {key.id: second(1)})
        found = keys.find(TENANT, key.id)
        assert found is not None
        assert found.used_at == second(1)


class TestTenants:
    def test_are_listed_by_name_page_by_page(self, neighbours: Scene) -> None:
        for name in ("zeta", "alpha"):
            neighbours.tenant(name)
        met: list[str] = []
        after = None
        for _ in range(9):
            page = neighbours.store.tenants.page(limit=2, after=after)
            assert len(page.items) <= 2
            met += [tenant.name for tenant in page.items]
            after = page.next
            if after is None:
                break
        assert met == ["alpha", TENANT, OTHER, "zeta"]
        (first,) = neighbours.store.tenants.page(limit=1, after=None).items
        assert first == neighbours.store.tenants.find("alpha")


class TestNews:
    def test_what_is_told_is_heard_where_the_store_carries_news(
        self, store: Store
    ) -> None:
        heard: list[bytes] = []
        asked = 0

        def enough() -> bool:
            # Told again and again, for what is told before one listens is lost.
            nonlocal asked
            asked += 1
            store.tell(b"%d" % asked)
            return len(heard) > 2 or asked > _TRIES

        store.listen(heard.append, until=enough)
        if not store.capabilities.notifies:
            assert (heard, asked) == ([], 0)
            return
        assert len(heard) > 2
        assert heard == sorted(heard, key=int)


#: ``until`` is asked at least every second.
_TRIES = timedelta(minutes=1) // timedelta(seconds=1)
