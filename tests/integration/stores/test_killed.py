"""The store is killed and comes back, under load."""

from __future__ import annotations

import logging
import random
import threading
import time
from pathlib import Path

from tests.integration.stores.house import House
from tests.integration.stores.load import ALL, CREATE, WRITES
from tests.integration.stores.trial import trial

_log = logging.getLogger(__name__)

#: In seconds, on a busy machine: the longest answer, how long until writes are taken
#: again once the store answers, and how long a new primary takes.
SLOWEST = 20.0
AGAIN = 15.0
ELECTED = 30.0

#: How long anything may take that has no bound of its own.
_PATIENCE = 60

#: How often each is killed in a row; those that start quickly more often.
_KILLS = {
    "redis": 10,
    "postgresql": 3,
    "mongodb": 2,
    "mongodb-three-members": 1,
}


def test_what_was_acknowledged_outlives_a_killed_store_and_all_runs_once(
    at_home: House,
) -> None:
    stage, witness, place = at_home.stage, at_home.witness, at_home.place
    gate = Path(witness.directory) / "gate"
    long = stage.shell(
        f"{witness.line('begun')}; until [ -e {gate} ]; do sleep 0.05; done;"
        f" echo over; {witness.line('over')}",
        sandbox=witness.sandbox,
    )
    stage.in_state(long, "running")
    with trial(at_home) as it:
        it.load.wait_for(ALL, ok=True, since=0, number=3, within=_PATIENCE)
        killed = time.monotonic()
        place.kill()
        if not place.fails_over:
            it.load.wait_for(ALL, ok=False, since=killed, number=2, within=_PATIENCE)
        # What runs goes on, and its end is kept until somebody takes it.
        gate.touch()
        _wait_for_word(at_home, "over")
        back = killed
        if not place.fails_over:
            place.revive()
            back = time.monotonic()
        again = it.load.wait_for(WRITES, ok=True, since=killed, within=_PATIENCE)
        _log.info(f"{place.name}: writes {again - back:.2f} s later")
        assert again - back < (ELECTED if place.fails_over else AGAIN)
        place.revive()
        it.load.wait_for(ALL, ok=True, since=again, number=3, within=_PATIENCE)
    it.verify(slowest=ELECTED if place.fails_over else SLOWEST)
    run = stage.finished(long)
    assert (run["state"], run["attempt"]) == ("succeeded", 1)
    assert stage.log(run) == "over\n"
    assert len(witness.seen("begun")) == 1


def test_a_store_that_is_killed_again_and_again_loses_nothing(at_home: House) -> None:
    place, chance = at_home.place, random.Random(8)
    with trial(at_home) as it:
        for _ in range(_KILLS[place.name]):
            since = time.monotonic()
            number = chance.randrange(1, 4)
            it.load.wait_for(
                [CREATE], ok=True, since=since, number=number, within=_PATIENCE
            )
            # Some time between two of its commands.
            threading.Event().wait(chance.uniform(0, 0.1))
            place.kill()
            place.revive()
        again = time.monotonic()
        it.load.wait_for(ALL, ok=True, since=again, number=2, within=_PATIENCE)
    it.verify(slowest=ELECTED if place.fails_over else SLOWEST)


def _wait_for_word(house: House, word: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not house.witness.seen(word):
        assert time.monotonic() < deadline, house.worker.said()[-4000:]
        time.sleep(0.02)
