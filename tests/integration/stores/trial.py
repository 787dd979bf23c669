"""What a store is put through under load, and what must hold afterwards."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.integration.stores.house import House
from tests.integration.stores.load import CREATE, RUN, Load

_log = logging.getLogger(__name__)

#: Seconds, on a busy machine.
_PATIENCE = 60


@dataclass(frozen=True)
class Trial:
    """The load, and the schedules that it is about."""

    house: House
    load: Load
    ticking: str

    def verify(self, *, slowest: float) -> None:
        """Assert that nobody was told what is not so, and nothing ran twice."""
        stage, load = self.house.stage, self.load
        counted = Counter((each.what, each.status) for each in load.answers)
        took = max(each.took for each in load.answers)
        _log.info(f"{self.house.place.name}: slowest {took:.2f} s; {counted}")
        bad = load.bad(slowest=slowest)
        assert not bad, bad[:20]
        for schedule in load.made(CREATE):
            assert stage.client.get_schedule(schedule)["id"] == schedule
        for run in load.made(RUN):
            self._succeeded(run)
        ran = Counter(run for _, run, *_ in self.house.witness.seen("manual"))
        assert set(load.made(RUN)) <= set(ran)
        assert [run for run, number in ran.items() if number > 1] == []
        since = str(stage.client.get_schedule(self.ticking)["created_at"])
        stage.client.pause_schedule(self.ticking)
        for part in stage.client.each_audit(since=since):
            assert part["gaps"] == []
        assert self.house.errors() == []

    def _succeeded(self, run: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while (found := self.house.stage.client.get_run(run))["state"] != "succeeded":
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        # One that was never begun, since its confirmation came too late, is no run.
        before = [each["counted"] for each in found["attempts"][:-1]]
        assert not any(before), found


@contextmanager
def trial(house: House) -> Iterator[Trial]:
    """Put load on it until the block ends."""
    stage, witness = house.stage, house.witness
    manual = stage.schedule(
        {"command": witness.line("manual")},
        cron="0 0 1 1 *",
        max_concurrent=100,
        sandbox=witness.sandbox,
    )
    ticking = stage.schedule({"command": "true"}, every="1s")
    with Load(house.service, manual=manual) as load:
        yield Trial(house, load, ticking)
