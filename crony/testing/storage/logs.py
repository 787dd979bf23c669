"""The output of attempts: in order, bounded, fenced."""

from __future__ import annotations

from crony.model.lease import Holding, Standing
from crony.model.run import LogChunk
from crony.model.state import AttemptState
from crony.model.worker import Worker
from crony.storage.contract import Store
from crony.testing.factories import make_chunk
from crony.testing.storage.scene import TENANT, Scene


def running(store: Store) -> tuple[Scene, Worker, Holding]:
    """Return a worker with a running attempt."""
    scene = Scene(store)
    scene.due(scene.schedule(), 0)
    worker = scene.worker()
    (item,) = scene.start(worker)
    return scene, worker, item


def append(
    store: Store,
    worker: Worker,
    item: Holding,
    *chunks: LogChunk,
    head: int = 100,
    bound: int = 1000,
) -> Standing:
    """Add output."""
    return store.logs.append(
        worker.tenant, worker.id, item.run, item.token, chunks, head=head, bound=bound
    )


def texts(store: Store, item: Holding) -> list[tuple[int, bytes, int]]:
    """Return offset, data and gap of what is kept."""
    chunks, _ = store.logs.read(TENANT, item.run, attempt=1, after=0)
    return [(chunk.offset, chunk.data, chunk.dropped) for chunk in chunks]


class TestLogs:
    def test_chunks_of_both_streams_are_read_as_they_came(self, store: Store) -> None:
        _, worker, item = running(store)
        standing = append(
            store,
            worker,
            item,
            make_chunk(b"one"),
            make_chunk(b"oops", stream="stderr"),
            make_chunk(b"two", offset=3),
        )
        assert standing is Standing.ACCEPTED
        chunks, closed = store.logs.read(TENANT, item.run, attempt=1, after=0)
        assert [(c.sequence, c.stream, c.data) for c in chunks] == [
            (1, "stdout", b"one"),
            (2, "stderr", b"oops"),
            (3, "stdout", b"two"),
        ]
        assert not closed
        later, _ = store.logs.read(TENANT, item.run, attempt=1, after=2)
        assert later == chunks[2:]

    def test_a_repeat_is_ignored_and_an_overlap_is_cut(self, store: Store) -> None:
        scene, worker, item = running(store)
        append(store, worker, item, make_chunk(b"abcd"))
        append(store, worker, item, make_chunk(b"cd", offset=2))
        append(store, worker, item, make_chunk(b"cdef", offset=2))
        assert texts(store, item) == [(0, b"abcd", 0), (4, b"ef", 0)]
        attempt = scene.run(item.run).attempts[0]
        assert (attempt.log_bytes, attempt.log_kept) == (6, 6)

    def test_what_the_worker_dropped_is_a_gap_and_is_counted(
        self, store: Store
    ) -> None:
        scene, worker, item = running(store)
        append(store, worker, item, make_chunk(b"ab"))
        append(store, worker, item, make_chunk(b"yz", offset=24, dropped=22))
        assert texts(store, item) == [(0, b"ab", 0), (24, b"yz", 22)]
        attempt = scene.run(item.run).attempts[0]
        assert (attempt.log_bytes, attempt.log_kept) == (26, 4)

    def test_the_first_bytes_and_the_newest_are_kept(self, store: Store) -> None:
        scene, worker, item = running(store)
        for number in range(10):
            chunk = make_chunk(bytes([65 + number]) * 4, offset=4 * number)
            append(store, worker, item, chunk, head=6, bound=16)
        assert texts(store, item) == [
            (0, b"AAAA", 0),
            (4, b"BB", 0),
            (32, b"IIII", 26),
            (36, b"JJJJ", 0),
        ]
        attempt = scene.run(item.run).attempts[0]
        assert (attempt.log_bytes, attempt.log_kept) == (40, 14)

    def test_one_chunk_larger_than_the_bound_is_cut_in_its_middle(
        self, store: Store
    ) -> None:
        _, worker, item = running(store)
        append(store, worker, item, make_chunk(b"0123456789"), head=3, bound=5)
        assert texts(store, item) == [(0, b"012", 0), (8, b"89", 5)]

    def test_output_after_the_end_of_the_attempt_is_refused(self, store: Store) -> None:
        scene, worker, item = running(store)
        append(store, worker, item, make_chunk(b"one"))
        scene.report(worker, item, AttemptState.FAILED, retry_at=scene.now)
        late = make_chunk(b"late", offset=3)
        assert append(store, worker, item, late) is Standing.STALE
        (again,) = scene.start(worker)
        scene.report(worker, again)
        assert append(store, worker, again, late) is Standing.OVER
        assert append(store, scene.worker(), item, late) is Standing.UNKNOWN
        chunks, closed = store.logs.read(TENANT, item.run, attempt=1, after=0)
        assert [chunk.data for chunk in chunks] == [b"one"]
        assert closed

    def test_an_attempt_still_to_come_is_open_and_an_unknown_run_is_closed(
        self, store: Store
    ) -> None:
        scene = Scene(store)
        (run,) = scene.due(scene.schedule(), 0)
        assert store.logs.read(run.tenant, run.id, attempt=1, after=0) == ((), False)
        assert store.logs.read(TENANT, "run_unknown", attempt=1, after=0) == ((), True)
