"""The store as a node sees it: any verb may be its last, fail, or take long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, cast

from crony.storage.contract import Capabilities, Stats, Store

NOUNS = (
    "schedules",
    "runs",
    "leases",
    "logs",
    "workers",
    "keys",
    "tenants",
    "groups",
    "profiles",
    "events",
    "webhooks",
    "answers",
    "duties",
    "moving",
)


class Gate(Protocol):
    """Lets a call through to the store, or does not."""

    def call(
        self,
        noun: str,
        verb: str,
        do: Callable[..., Any],
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> Any:  # whatever the verb returns
        """Call the verb."""


class _Noun:
    """One noun of a store, each verb of it through the gate."""

    def __init__(self, name: str, target: object, gate: Gate) -> None:
        self._name = name
        self._target = target
        self._gate = gate

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        do = getattr(self._target, verb)
        gate, noun = self._gate, self._name

        def through(*args: Any, **named: Any) -> Any:
            return gate.call(noun, verb, do, args, named)

        self.__dict__[verb] = through
        return through


class GatedStore(Store):
    """A store whose verbs go through a gate; ``clock`` is what its clock shows."""

    def __init__(
        self, store: Store, gate: Gate, *, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._clock = clock
        for name in NOUNS:
            noun = cast("Any", _Noun(name, getattr(store, name), gate))
            setattr(self, name, noun)

    @property
    def capabilities(self) -> Capabilities:
        return self._store.capabilities

    def migrate(self) -> None:
        self._store.migrate()

    def open(self) -> None:
        self._store.open()

    def close(self) -> None:
        self._store.close()

    def ping(self) -> None:
        self._store.ping()

    def now(self) -> datetime:
        return self._clock()

    def tell(self, news: bytes) -> None:
        self._store.tell(news)

    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        self._store.listen(hear, until=until)

    def cannot_promise(self) -> Sequence[str]:
        return self._store.cannot_promise()

    def stats(self, tenant: str | None, *, now: datetime) -> Stats:
        return self._store.stats(tenant, now=now)
