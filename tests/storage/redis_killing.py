"""A process whose children are killed in the middle of a verb on Redis.

``python -m tests.storage.redis_killing URL`` reads lines ``VERB NUMBER``. For each, a
child opens the store, does the verb, and is killed right before its command of that
number would go to the server; ``killed`` or ``done`` is the answer.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from redis.connection import AbstractConnection

from crony.model.worker import Role
from crony.storage.contract import Store
from crony.storage.redis import RedisStore
from crony.testing import factories
from crony.testing.clock import START
from crony.testing.storage.scene import TENANT

WORKER = "wrk_of_the_one_that_is_killed"
KEY = "key_of_the_one_that_is_killed"
DIGEST, LATER_DIGEST = "d1", "d2"
OTHER = "other"


def insert_key(store: Store) -> None:
    """Store a key: it, and what leads to it."""
    store.keys.insert(factories.make_key(id=KEY, digest=DIGEST))


def delete_key(store: Store) -> None:
    """Take both away."""
    store.keys.delete(TENANT, KEY)


def register(store: Store, *, digest: str = DIGEST) -> None:
    """Register a worker: it, its key and an event."""
    worker = factories.make_worker(id=WORKER, name="a")
    key = factories.make_key(role=Role.WORKER, digest=digest)
    store.workers.register(worker, key, quota=None)


def register_again(store: Store) -> None:
    """Give a worker another key."""
    register(store, digest=LATER_DIGEST)


def delete_worker(store: Store) -> None:
    """Take it all away."""
    store.workers.delete(TENANT, WORKER, now=START)


def create_tenant(store: Store) -> None:
    """Create a tenant, which has a group from its beginning."""
    store.tenants.put(factories.make_tenant(name=OTHER), expected=None)


def delete_tenant(store: Store) -> None:
    """Delete a tenant that has a key and an event."""
    store.tenants.delete(OTHER, expected=1)


VERBS: dict[str, Callable[[Store], None]] = {
    verb.__name__: verb
    for verb in (
        insert_key,
        delete_key,
        register,
        register_again,
        delete_worker,
        create_tenant,
        delete_tenant,
    )
}


def _kill_before(number: int) -> None:
    """Let this process be killed before its n-th command from now on."""
    send = AbstractConnection.send_packed_command
    left = number

    def counted(self: AbstractConnection, *args: object, **kwargs: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        send(self, *args, **kwargs)

    AbstractConnection.send_packed_command = counted  # type: ignore[method-assign]


def _child(url: str, verb: str, number: int) -> None:
    store = RedisStore(url)
    store.open()
    _kill_before(number)
    VERBS[verb](store)


def main() -> None:
    """Answer lines."""
    (url,) = sys.argv[1:]
    for line in sys.stdin:
        verb, number = line.split()
        child = os.fork()
        if child == 0:
            _child(url, verb, int(number))
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
