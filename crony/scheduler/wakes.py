"""Wakes: news that there is something to look at, never the thing itself.

A wake may be lost, doubled or too late without harm: whoever waits looks at the
store now and then anyway. So nothing is acknowledged, and no error is the
publisher's concern.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crony import log
from crony.model.lease import Ready
from crony.scheduler.neighbours import Neighbours

_log = log.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """What there is to look at.

    ``ready`` are lines in which runs may have become leasable, ``workers`` those
    with something to give up, ``runs`` those with a new state, progress or output.
    ``tick`` asks the ticker to look at once. Any of these may come with new events;
    ``events`` is for those that come with nothing else.
    """

    ready: Ready = frozenset()
    workers: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()
    tick: bool = False
    events: bool = False


Callback = Callable[[Wake], None]


class Wakes:
    """Carries wakes within this process, and to its neighbours on this host.

    ``directory`` is where the processes of one host find each other; ``None``
    keeps wakes within the process. Callbacks run on the thread of whoever
    publishes, or on the receiving one, and must return at once.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._callbacks: tuple[Callback, ...] = ()
        self._neighbours = (
            Neighbours(directory, self._received) if directory is not None else None
        )

    def open(self) -> None:
        """Join the neighbours; after a fork, never before one."""
        if self._neighbours is not None:
            self._neighbours.join()

    def close(self) -> None:
        """Leave the neighbours."""
        if self._neighbours is not None:
            self._neighbours.leave()

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

    def _publish(self, wake: Wake) -> None:
        self._call_back(wake)
        if self._neighbours is not None:
            self._neighbours.send(_spoken(wake))

    def _received(self, message: object) -> None:
        wake = _understood(message)
        if wake is not None:
            self._call_back(wake)

    def _call_back(self, wake: Wake) -> None:
        for callback in self._callbacks:
            try:
                callback(wake)
            except Exception:  # noqa: BLE001  # one listener must not deafen the others
                _log.exception("a listener failed on a wake")


def _spoken(wake: Wake) -> dict[str, object]:
    """Return a wake as neighbours send it; what is empty is left out."""
    message: dict[str, object] = {
        "ready": sorted(wake.ready),
        "workers": sorted(wake.workers),
        "runs": sorted(wake.runs),
        "tick": wake.tick,
        "events": wake.events,
    }
    return {name: value for name, value in message.items() if value}


def _understood(message: object) -> Wake | None:
    """Return the wake of a message, or ``None`` for one of no known form."""
    if not isinstance(message, dict):
        return None
    lines = message.get("ready", [])
    if not isinstance(lines, list):
        return None
    ready = frozenset(
        (line[0], line[1])
        for line in lines
        if isinstance(line, list)
        and len(line) == 2
        and all(isinstance(part, str) for part in line)
    )
    return Wake(
        ready=ready,
        workers=_texts(message.get("workers")),
        runs=_texts(message.get("runs")),
        tick=message.get("tick") is True,
        events=message.get("events") is True,
    )


def _texts(value: object) -> frozenset[str]:
    if not isinstance(value, list):
        return frozenset()
    return frozenset(item for item in value if isinstance(item, str))
