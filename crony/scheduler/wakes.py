"""Wakes: news that there is something to look at, never the thing itself.

A wake may be lost, doubled or too late without harm: whoever waits looks at the
store now and then anyway. So nothing is acknowledged, and no error is the
publisher's concern.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from crony import log
from crony.model.lease import Ready
from crony.scheduler.neighbours import Neighbours
from crony.scheduler.relay import Relay
from crony.scheduler.wake import Wake, spoken, understood
from crony.storage.contract import Store

__all__ = ["Wake", "Wakes"]

_log = log.get(__name__)

Callback = Callable[[Wake], None]


class Wakes:
    """Carries wakes within this process, to its neighbours on this host, and to the
    nodes of other hosts.

    ``directory`` is where the processes of one host find each other, ``store`` what
    carries news between hosts, if it can; without them wakes stay within the process.
    Callbacks run on the thread of whoever publishes, or on the receiving one, and
    must return at once.
    """

    def __init__(
        self, directory: Path | None = None, *, store: Store | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._callbacks: tuple[Callback, ...] = ()
        self._neighbours = (
            Neighbours(directory, self._received) if directory is not None else None
        )
        self._relay = Relay(store, self._call_back) if store is not None else None

    def open(self) -> None:
        """Join the others; after a fork, never before one, with the store open."""
        place = self._neighbours.join() if self._neighbours is not None else None
        if self._relay is not None:
            self._relay.open(place)

    def close(self) -> None:
        """Say what is still to be said, and leave."""
        if self._relay is not None:
            self._relay.close()
        if self._neighbours is not None:
            self._neighbours.leave()

    @property
    def hears_all(self) -> bool:
        """Whether the news of all other processes arrive; else who waits must look."""
        return self._relay is not None and self._relay.hears_all

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Call back for every wake; return what ends that."""
        with self._lock:
            self._callbacks = (*self._callbacks, callback)

        def unsubscribe() -> None:
            with self._lock:
                self._callbacks = tuple(
                    other for other in self._callbacks if other is not callback
                )

        return unsubscribe

    def publish(self, ready: Ready) -> None:
        """Tell that runs of these lines may have become leasable."""
        if ready:
            self._publish(Wake(ready=ready))

    def publish_worker(self, worker: str) -> None:
        """Tell that a worker has something to give up, or nothing more to get."""
        self._publish(Wake(workers=frozenset({worker})))

    def publish_run(self, run: str) -> None:
        """Tell that a run has a new state, progress or output."""
        self.publish_runs(frozenset({run}))

    def publish_runs(self, runs: frozenset[str]) -> None:
        """Tell the same of several runs at once."""
        if runs:
            self._publish(Wake(runs=runs))

    def publish_tick(self) -> None:
        """Ask the ticker to look before its time."""
        self._publish(Wake(tick=True))

    def publish_events(self) -> None:
        """Tell that there may be new events."""
        self._publish(Wake(events=True))

    def publish_duty(self, duty: str) -> None:
        """Tell that a duty was given up, so that another process takes it at once."""
        self._publish(Wake(duties=frozenset({duty})))

    def _publish(self, wake: Wake) -> None:
        self._call_back(wake)
        if self._neighbours is not None:
            self._neighbours.send(spoken(wake))
        if self._relay is not None:
            self._relay.send(wake)

    def _received(self, message: object) -> None:
        wake = understood(message)
        if wake is not None:
            self._call_back(wake)

    def _call_back(self, wake: Wake) -> None:
        for callback in self._callbacks:
            try:
                callback(wake)
            except Exception:  # noqa: BLE001  # one listener must not deafen the others
                _log.exception("a listener failed on a wake")
