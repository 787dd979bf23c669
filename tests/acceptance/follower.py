"""Somebody who follows the events, and finds back whenever the stream breaks."""

from __future__ import annotations

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from crony import errors
from crony.client import Client
from crony.model.state import TERMINAL, TRANSITIONS, RunState

Event = Mapping[str, object]
#: Whether what was heard is what somebody waits for.
Wanted = Callable[[Sequence[Event]], bool]

_PASSING = (429, 502, 503, 504)
_STATES = {f"run.{state.value}": state for state in RunState}
#: A stretch of occurrences that did not run is stored as it stays.
_FIRST = (RunState.PENDING, RunState.MISSED, RunState.SKIPPED)


class Follower:
    """Reads the events after a position from one node, until a schedule is deleted.

    The client comes back by itself while it has been connected once; only what it
    raises before that is repeated here.
    """

    def __init__(self, name: str, client: Client, *, after: str, last: str) -> None:
        self.name = name
        self._client = client
        self._position = after
        self._last = last
        self._news = threading.Condition()
        self._events: list[Event] = []
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def events(self) -> list[Event]:
        with self._news:
            return list(self._events)

    def wait_for(self, wanted: Wanted, *, within: float) -> bool:
        """Wait until what was heard is as wanted; return whether it came so."""
        until = time.monotonic() + within
        with self._news:
            while not wanted(self._events):
                if self._failure is not None:
                    raise AssertionError(f"{self.name} gave up") from self._failure
                left = until - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    return wanted(self._events)
            return True

    def _run(self) -> None:
        away = threading.Event()
        while True:
            try:
                if self._follow():
                    break
            except errors.ServiceUnreachable:
                away.wait(0.2)
            except errors.Refused as exc:
                if exc.status not in _PASSING:
                    self._fail(exc)
                    break
                away.wait(0.2)
            except Exception as exc:  # noqa: BLE001  # told to who waits
                self._fail(exc)
                break

    def _follow(self) -> bool:
        for event in self._client.events(after=self._position):
            self._position = str(event["id"])
            with self._news:
                self._events.append(event)
                self._news.notify_all()
            if event["type"] == "schedule.deleted" and _name_of(event) == self._last:
                return True
        return False

    def _fail(self, exc: BaseException) -> None:
        with self._news:
            self._failure = exc
            self._news.notify_all()


def _name_of(event: Event) -> object:
    return cast(Mapping[str, object], event["data"]).get("name")


def about(kind: str, name: str) -> Wanted:
    """Return whether an event of that type and name was heard."""
    return lambda events: any(
        event["type"] == kind and _name_of(event) == name for event in events
    )


def still_open(events: Sequence[Event]) -> list[str]:
    """Return the runs that were heard of and are neither over nor withdrawn."""
    settled = {*TERMINAL, RunState.WITHDRAWN}
    return [run for run, path in paths(events).items() if path[-1] not in settled]


def none_open(events: Sequence[Event]) -> bool:
    return not still_open(events)


def paths(events: Sequence[Event]) -> dict[str, list[RunState]]:
    """Return the states of each run, in the order in which they were heard."""
    found: dict[str, list[RunState]] = defaultdict(list)
    for event in events:
        state = _STATES.get(str(event["type"]))
        if state is not None:
            found[str(event["subject"])].append(state)
    return found


def faults(
    events: Sequence[Event], ledger: Sequence[Mapping[str, object]]
) -> list[str]:
    """Return in words what is missing, twice or out of order."""
    found = []
    if len({str(event["id"]) for event in events}) != len(events):
        found.append("an event came twice")
    told = paths(events)
    runs = {str(run["id"]): run for run in ledger}
    found += [f"{run}: told of, but not there" for run in told.keys() - runs.keys()]
    found += [f"{run}: never told of" for run in runs.keys() - told.keys()]
    lost = _count(events, "run.lost")
    for id in told.keys() & runs.keys():
        path, run = told[id], runs[id]
        if path[0] not in _FIRST:
            found.append(f"{id}: began as {path[0]}")
        steps = itertools.pairwise(path)
        found += [f"{id}: {a} to {b}" for a, b in steps if b not in TRANSITIONS[a]]
        if path[-1] != run["state"]:
            found.append(f"{id}: {run['state']}, but last told as {path[-1]}")
        attempts = cast(Sequence[Mapping[str, object]], run["attempts"])
        confirmed = sum(attempt["started_at"] is not None for attempt in attempts)
        if confirmed != path.count(RunState.RUNNING):
            found.append(f"{id}: {confirmed} attempts started, told as {path}")
        ends = sum(attempt["state"] == "lost" for attempt in attempts)
        if ends != lost.get(id, 0):
            found.append(f"{id}: {ends} attempts lost, {lost.get(id, 0)} told of")
    return found


def _count(events: Sequence[Event], kind: str) -> dict[str, int]:
    counted: dict[str, int] = defaultdict(int)
    for event in events:
        if event["type"] == kind:
            counted[str(event["subject"])] += 1
    return counted
