"""What a process of a concurrency test does: work on a store until it is empty.

``python -m crony.testing.storage.processes URL WORKER SEED`` leases, confirms
and reports as one worker, and prints what it was given, one run and token a
line, before it confirms.
"""

from __future__ import annotations

import random
import sys
from datetime import datetime, timedelta

from crony import errors
from crony.model.lease import Holding, Standing
from crony.model.state import AttemptState, RunState
from crony.storage import open_store
from crony.storage.contract import RunQuery, Store
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import TENANT

TTL = timedelta(seconds=60)


def work(
    store: Store, worker: str, *, seed: int, now: datetime = START
) -> list[Holding]:
    """Do what there is to do; return what this worker was given."""
    draw = random.Random(seed)
    given: list[Holding] = []
    pending = RunQuery(states=frozenset({RunState.PENDING}))
    while True:
        offers = store.leases.lease(
            TENANT,
            worker,
            session="s",
            sequence=1,
            slots=draw.randint(1, 5),
            horizon=now,
            now=now,
            lease_ttl=TTL,
        )
        items = [Holding(offer.run.id, offer.token) for offer in offers]
        given += items
        for item in items:
            print(item.run, item.token, flush=True)  # noqa: T201  # its purpose
        answers = store.leases.confirm(TENANT, worker, items, now=now, lease_ttl=TTL)
        assert all(answer.standing is Standing.ACCEPTED for answer in answers)
        closings = [
            factories.make_closing(
                item.run,
                item.token,
                state=draw.choice([AttemptState.SUCCEEDED, AttemptState.FAILED]),
                retry_at=now if item.token == 1 else None,
            )
            for item in items
        ]
        store.leases.report(TENANT, worker, closings, now=now)
        if not items:
            page = store.runs.page("default", pending, limit=1, after=None)
            if not page.items:
                return given


def main() -> None:
    """Work as a process of its own."""
    url, worker, seed = sys.argv[1:]
    store = open_store(url)
    store.open()
    try:
        work(store, worker, seed=int(seed))
    except errors.StoreUnavailable as exc:
        sys.exit(str(exc))
    finally:
        store.close()


if __name__ == "__main__":
    main()
