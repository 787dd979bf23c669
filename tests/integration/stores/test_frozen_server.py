"""The store stands still for a while, and goes on as if nothing had been."""

from __future__ import annotations

import logging
import time

from tests.integration.stores.house import House
from tests.integration.stores.load import ALL, WRITES
from tests.integration.stores.trial import trial

_log = logging.getLogger(__name__)

#: In seconds: the longest answer, and how long until all is as ever. Measured were 12.0
#: (the time limit of a connection to PostgreSQL) and 0.6; a busy machine adds to that.
SLOWEST = 16.0
AGAIN = 5.0

#: The same where another member takes over: it is elected only then, and a request may
#: wait for the time limit of a connection to the one that stands still more than once.
#: Measured were 15.4 and 20.6.
FAILOVER = 30.0


def test_a_store_that_stands_still_is_said_to_be_unavailable_until_it_goes_on(
    at_home: House,
) -> None:
    stage, place = at_home.stage, at_home.place
    slowest = FAILOVER if place.fails_over else SLOWEST
    with trial(at_home) as it:
        load = it.load
        load.wait_for(ALL, ok=True, since=0, number=3, within=60)
        frozen = time.monotonic()
        place.freeze()
        if not place.fails_over:
            load.wait_for(ALL, ok=False, since=0, within=60)
            place.revive()
            frozen = time.monotonic()
        again = load.wait_for(WRITES, ok=True, since=frozen, number=2, within=60)
        _log.info(f"{place.name}: as ever after {again - frozen:.2f} s")
        place.revive()
        assert again - frozen < (slowest if place.fails_over else AGAIN)
        load.wait_for(ALL, ok=True, since=again, number=3, within=60)

    it.verify(slowest=slowest)
    # Polls that waited meanwhile hear of it.
    run = stage.finished(stage.shell("echo awake"), within=60)
    assert (run["state"], run["attempt"]) == ("succeeded", 1)
