"""A process whose children are killed in the middle of a verb.

``python -m tests.storage.killing URL`` reads lines ``VERB NUMBER``. For each, a child
opens the store, does the verb, and is killed right before its command of that number
would go to the server; ``killed`` or ``done`` is the answer.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from pymongo import monitoring

from crony.model.worker import Role
from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing import factories
from crony.testing.storage.scene import TENANT

WORKER = "wrk_of_the_one_that_is_killed"
KEY = "key_of_the_one_that_is_killed"
DIGEST = "d1"
OTHER = "other"


class _Killer(monitoring.CommandListener):
    """Kills this process before its n-th command."""

    def __init__(self) -> None:
        self.left: int | None = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def register(store: Store) -> None:
    """Register a worker: it, its key, an event and a count."""
    worker = factories.make_worker(id=WORKER, name="a")
    key = factories.make_key(id=KEY, role=Role.WORKER, digest=DIGEST)
    store.workers.register(worker, key, quota=None)


def delete_worker(store: Store) -> None:
    """Take it all away."""
    store.workers.delete(TENANT, WORKER, now=factories.make_worker().seen_at)


def delete_tenant(store: Store) -> None:
    """Delete a tenant that has a group, a key and an event."""
    store.tenants.delete(OTHER, expected=1)


VERBS: dict[str, Callable[[Store], None]] = {
    verb.__name__: verb for verb in (register, delete_worker, delete_tenant)
}


def _child(url: str, verb: str, number: int, killer: _Killer) -> None:
    store = open_store(url)
    store.open()
    killer.left = number
    VERBS[verb](store)
    killer.left = None
    store.close()


def main() -> None:
    """Answer lines."""
    (url,) = sys.argv[1:]
    killer = _Killer()
    monitoring.register(killer)
    for line in sys.stdin:
        verb, number = line.split()
        child = os.fork()
        if child == 0:
            _child(url, verb, int(number), killer)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            print("killed", flush=True)  # noqa: T201  # its purpose
        else:
            assert os.waitstatus_to_exitcode(status) == 0
            print("done", flush=True)  # noqa: T201  # its purpose


if __name__ == "__main__":
    main()
