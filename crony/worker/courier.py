"""Carries to the service what runs print and how they end.

One thread and one connection, so that an attempt's output always arrives before
its final report. Final reports come from the outbox and are carried until they are
acknowledged; output is carried a few times a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from crony import clock, errors, log, wire
from crony.client import Client
from crony.worker import outbox, reading, reports
from crony.worker.backoff import Backoff, passing, passing_status
from crony.worker.outbox import Entry, Outbox
from crony.worker.outcome import StopCause
from crony.worker.reports import Item
from crony.worker.runner import Runner

_log = log.get(__name__)

#: Items and bytes of one request; the service takes 1,000 and 16 MiB.
_MOST_ITEMS = 500
_MOST_BYTES = 4 << 20
_LIVE_BYTES = 512 << 10

#: Output is sent this often, and seldom once more was sent than will be kept.
_LIVE_EVERY = timedelta(milliseconds=250)
_SELDOM_EVERY = timedelta(seconds=3)
_TIMEOUT = timedelta(seconds=30)
_NEVER = timedelta.max

#: All that remains of a final report whose other members were refused.
_BARE = ("run", "token", "state", "reason", "exit_code", "signal", "finished")


@dataclass(frozen=True, slots=True)
class _Parcel:
    """Items of one request that belong together, and what their answers mean."""

    items: Sequence[Item]
    #: Gets the status of each item, or nothing when there was no answer.
    settle: Callable[[Sequence[int]], None]


class Courier:
    """The loop; ``step`` is one round of it."""

    def __init__(
        self,
        client: Client,
        box: Outbox,
        *,
        boottime: Callable[[], timedelta] = clock.boottime,
    ) -> None:
        self._client = client
        self._outbox = box
        self._now = boottime
        self._backoff = Backoff()
        self._changed = threading.Condition()
        self._news = False
        self._closed = False
        #: Runners with output or progress, and when it may be sent.
        self._live: dict[Runner, timedelta] = {}
        self._not_before = timedelta(0)
        self._boot = outbox.boot_id()

    def printed(self, runner: Runner) -> None:
        """Send what a run printed, soon."""
        with self._changed:
            if runner not in self._live and not runner.concluded:
                self._live[runner] = self._now() + _every(runner)
                self._changed.notify_all()

    def forget(self, runner: Runner) -> None:
        """Send nothing more of a run by itself: the rest goes with its report."""
        with self._changed:
            self._live.pop(runner, None)

    def hurry(self) -> None:
        """Look into the outbox now."""
        with self._changed:
            self._news = True
            self._changed.notify_all()

    def close(self) -> None:
        """End the loop after its current round."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def run(self) -> None:
        """Carry until closed."""
        while not self._closed:
            try:
                wait = self.step()
            except Exception:  # noqa: BLE001  # the loop's top: reports must go on
                _log.exception("courier stumbled")
                wait = timedelta(seconds=1)
            self._rest(wait)

    def step(self) -> timedelta:
        """Carry one load; return after what time to come again."""
        if self._now() < self._not_before:
            return self._not_before - self._now()
        parcels = self._parcels()
        if not parcels:
            with self._changed:
                due = min(self._live.values(), default=_NEVER)
            return due if due == _NEVER else due - self._now()
        try:
            self._carry(parcels)
        except errors.ClientError as exc:
            for parcel in parcels:
                parcel.settle(())
            wait = self._backoff.after(exc)
            self._not_before = self._now() + wait
            _log.warning("reports wait", detail=str(exc), duration=wait)
            return wait
        self._backoff.reset()
        return timedelta(0)

    def _rest(self, wait: timedelta) -> None:
        with self._changed:
            hurried = self._news and self._now() >= self._not_before
            self._news = False
            if not (self._closed or hurried):
                self._changed.wait(None if wait == _NEVER else wait.total_seconds())

    def _carry(self, parcels: Sequence[_Parcel]) -> None:
        try:
            answered = self._send([item for one in parcels for item in one.items])
        except errors.Refused as exc:
            if passing(exc):
                raise
            # One item must not hold up the others: each is judged by itself.
            answered = [self._send_alone(i) for one in parcels for i in one.items]
        position = 0
        for parcel in parcels:
            end = position + len(parcel.items)
            parcel.settle(answered[position:end])
            position = end

    def _send(self, items: Sequence[Item]) -> Sequence[int]:
        answer = self._client.reports(items, timeout=_TIMEOUT)
        results = reading.objects(answer, "results")
        if len(results) != len(items):
            raise errors.ServiceUnreachable("the service answered other reports")
        return [reading.integer(result, "status") for result in results]

    def _send_alone(self, item: Item) -> int:
        try:
            return self._send([item])[0]
        except errors.Refused as exc:
            if passing(exc):
                raise
            return exc.status

    def _parcels(self) -> Sequence[_Parcel]:
        parcels: list[_Parcel] = []
        count = size = 0
        for entry in self._outbox.first(_MOST_ITEMS):
            parcel = self._final(entry)
            weight = sum(_weight(item) for item in parcel.items)
            too_much = (
                count + len(parcel.items) > _MOST_ITEMS or size + weight > _MOST_BYTES
            )
            if parcels and too_much:
                return parcels
            parcels.append(parcel)
            count += len(parcel.items)
            size += weight
        return [*parcels, *self._live_parcels(_MOST_ITEMS - count)]

    def _final(self, entry: Entry) -> _Parcel:
        ago = entry.finished_ago(now=self._now(), boot=self._boot, wall=outbox.wall())
        last = {**entry.items[-1], "finished": wire.format_duration(ago)}

        def settle(statuses: Sequence[int]) -> None:
            if statuses and not passing_status(statuses[-1]):
                self._delivered(last, statuses[-1])
                self._outbox.acknowledge(entry.key)

        return _Parcel((*entry.items[:-1], last), settle)

    def _delivered(self, item: Item, status: int) -> None:
        if status < 300 or status == 409:
            _log.info(
                "run reported", run=item["run"], state=item["state"], status=status
            )
            return
        _log.error("report was refused", run=item["run"], status=status)
        bare: Item = {name: item[name] for name in _BARE}
        bare["error"] = f"the service refused the full report with status {status}"
        self._send_alone(bare)

    def _live_parcels(self, most: int) -> Sequence[_Parcel]:
        now = self._now()
        with self._changed:
            due = [runner for runner, at in self._live.items() if at <= now][:most]
            for runner in due:
                del self._live[runner]
        return [
            parcel for runner in due if (parcel := self._news_of(runner)) is not None
        ]

    def _news_of(self, runner: Runner) -> _Parcel | None:
        pieces = runner.output.take(_LIVE_BYTES)
        progress = runner.progress.newest
        items = reports.live(runner.lease, pieces, progress)

        def settle(statuses: Sequence[int]) -> None:
            arrived = bool(statuses) and not any(map(passing_status, statuses))
            runner.output.settle(accepted=arrived)
            if arrived:
                runner.progress.acknowledge(progress)
            if {404, 409} & set(statuses):
                runner.stop(StopCause.LOST)
            elif runner.output.waiting() or not arrived:
                self.printed(runner)

        return _Parcel(items, settle) if items else None


def _every(runner: Runner) -> timedelta:
    more_than_kept = runner.output.accepted > runner.lease.log
    return _SELDOM_EVERY if more_than_kept else _LIVE_EVERY


def _weight(item: Mapping[str, object]) -> int:
    """Return roughly how long an item is in a request."""
    chunks = item.get("log")
    if not isinstance(chunks, list):
        return 1024
    return sum(100 + len(str(chunk.get("data", ""))) for chunk in chunks)


def rest_of(runner: Runner) -> Sequence[Item]:
    """Return the items with all that was not sent of an ended run."""
    return reports.live(runner.lease, runner.output.rest(), runner.progress.newest)
