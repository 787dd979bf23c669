"""Whether the store takes writes is tried now and then, not for each who asks."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from crony import errors
from crony.scheduler.probe import Probe
from tests.unit.scheduler.stage import SECOND, Stage


class Disk:
    """Stands in the way of the writes of a duty, as a disk may."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.tries = 0
        self._hold = stage.store.duties.hold
        monkeypatch.setattr(stage.store.duties, "hold", self.hold)

    def hold(
        self, duty: str, holder: str, *, now: datetime, ttl: timedelta
    ) -> tuple[bool, datetime | None]:
        self.tries += 1
        if self.full:
            raise errors.StoreUnavailable("full", retry_after=SECOND)
        return self._hold(duty, holder, now=now, ttl=ttl)


class Watch:
    """Tells how long ago the test began, as it is told."""

    def __init__(self) -> None:
        self.shows = timedelta()

    def __call__(self) -> timedelta:
        return self.shows


def test_a_write_is_tried_once_a_second_and_its_answer_holds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, watch = Disk(stage, monkeypatch), Watch()
    probe = Probe(stage.store, stage.clock, elapsed=watch)
    probe.check()
    disk.full = True
    watch.shows = SECOND - timedelta.resolution
    probe.check()
    assert disk.tries == 1
    watch.shows = SECOND
    for _ in range(2):
        with pytest.raises(errors.StoreUnavailable, match="full"):
            probe.check()
    disk.full = False
    assert disk.tries == 2
    watch.shows = 2 * SECOND
    probe.check()
    assert disk.tries == 3


def test_who_asks_while_it_is_tried_does_not_wait(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    probe = Probe(stage.store, stage.clock, elapsed=watch)
    probe.check()
    watch.shows = SECOND
    under_way, go_on = threading.Event(), threading.Event()
    hold = stage.store.duties.hold

    def slow(
        duty: str, holder: str, *, now: datetime, ttl: timedelta
    ) -> tuple[bool, datetime | None]:
        under_way.set()
        assert go_on.wait(10)
        return hold(duty, holder, now=now, ttl=ttl)

    monkeypatch.setattr(stage.store.duties, "hold", slow)
    first = threading.Thread(target=probe.check)
    first.start()
    assert under_way.wait(10)
    probe.check()
    assert first.is_alive()
    go_on.set()
    first.join(10)
    assert not first.is_alive()


def test_it_writes_whoever_tried_before_and_whatever_time_it_was(stage: Stage) -> None:
    noted = set()
    for step in (0, 5, -9):
        stage.clock.set(stage.clock.now() + step * SECOND)
        Probe(stage.node().store, stage.clock, elapsed=timedelta).check()
        noted.add(stage.store.duties.note("probe"))
    assert len(noted) == 3


def test_a_write_that_failed_counts_until_one_succeeds_or_it_is_long_ago(
    stage: Stage,
) -> None:
    watch = Watch()
    probe = Probe(stage.store, stage.clock, elapsed=watch)
    full = errors.StoreUnavailable("full", retry_after=SECOND)
    probe.check()
    probe.note(full)
    with pytest.raises(errors.StoreUnavailable, match="full"):
        probe.check()
    probe.note(None)
    probe.check()
    probe.note(full)
    watch.shows = 5 * SECOND - timedelta.resolution
    with pytest.raises(errors.StoreUnavailable, match="full"):
        probe.check()
    watch.shows = 5 * SECOND
    probe.check()
