"""Carries reports to the service, in batches: final ones, output, progress.

Final reports come from the outbox, oldest first, and leave it when the service has
answered for good. Output and progress are sent while the task runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from crony import clock, errors, log, wire
from crony.client import Client
from crony.worker import outbox, reading
from crony.worker.backoff import Backoff, passing, passing_status
from crony.worker.live import NEVER, Live
from crony.worker.outbox import Entry, Key, Outbox
from crony.worker.parcel import Parcel
from crony.worker.reports import Item

_log = log.get(__name__)

#: Items and bytes of one request; the service takes 1,000 and 16 MiB.
_MOST_ITEMS = 500
_MOST_BYTES = 4 << 20

_TIMEOUT = timedelta(seconds=30)

_FAULT = 500
#: A service that breaks on a report so often is told the bare end of the attempt.
_MOST_FAULTS = 20
#: All that remains of a final report whose other members were refused.
_BARE = ("run", "token", "state", "reason", "exit_code", "signal", "finished")


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
        #: Output and progress of what still runs.
        self.live = Live(self.hurry, boottime=boottime)
        self._not_before = timedelta(0)
        self._boot = outbox.boot_id()
        #: Parcels of one request: fewer while one that breaks it is looked for.
        self._most = _MOST_ITEMS
        #: How often the service did not take a final report for its own sake.
        self._faults: dict[Key, int] = {}

    def hurry(self) -> None:
        """Look now for what there is to carry."""
        with self._changed:
            self._news = True
            self._changed.notify_all()

    def close(self) -> None:
        """End the loop after its current round."""
        self._closed = True
        self.hurry()

    def run(self) -> None:
        """Carry until closed."""
        while not self._closed:
            try:
                wait = self.step()
            except Exception:  # noqa: BLE001  # the loop's top: reports must go on
                _log.exception("courier stumbled")
                wait = timedelta(seconds=1)
            self._rest(wait)

    def _rest(self, wait: timedelta) -> None:
        with self._changed:
            hurried = self._news and self._now() >= self._not_before
            self._news = False
            if not (self._closed or hurried):
                self._changed.wait(None if wait == NEVER else wait.total_seconds())

    def step(self) -> timedelta:
        """Carry one load; return after what time to come again."""
        if self._now() < self._not_before:
            return self._not_before - self._now()
        parcels = self._parcels()
        if not parcels:
            due = self.live.next_at()
            return due if due == NEVER else max(due - self._now(), timedelta(0))
        try:
            put_off = self._carry(parcels)
        except errors.ClientError as exc:
            for parcel in parcels:
                parcel.settle(())
            return self._wait_after(exc)
        if put_off:
            return self._wait_after(errors.ServiceUnreachable("some were put off"))
        self._backoff.reset()
        self._most = min(self._most * 2, _MOST_ITEMS)
        return timedelta(0)

    def _wait_after(self, exc: errors.ClientError) -> timedelta:
        wait = self._backoff.after(exc)
        self._not_before = self._now() + wait
        _log.warning("reports wait", detail=str(exc), duration=wait)
        # It may take long now, and this host may not live until then.
        self._outbox.sync()
        return wait

    def _carry(self, parcels: Sequence[Parcel]) -> bool:
        """Send and settle; whether the service put something off."""
        items = [item for parcel in parcels for item in parcel.items]
        try:
            answered = self._send(items)
        except errors.Refused as exc:
            if exc.status == _FAULT:
                answered = self._broken(parcels, exc)
            elif passing(exc):
                raise
            else:
                # One item must not hold up the others: each is judged by itself.
                answered = [self._send_alone(item) for item in items]
        position = 0
        for parcel in parcels:
            end = position + len(parcel.items)
            parcel.settle(answered[position:end])
            position = end
        return any(map(passing_status, answered))

    def _broken(self, parcels: Sequence[Parcel], exc: errors.Refused) -> Sequence[int]:
        """Look for the parcel that the service breaks on; alone, it is put off."""
        if len(parcels) == 1:
            return [exc.status] * len(parcels[0].items)
        self._most = len(parcels) // 2
        raise exc

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
            if exc.status != _FAULT and passing(exc):
                raise
            return exc.status

    def _parcels(self) -> Sequence[Parcel]:
        parcels: list[Parcel] = []
        count = size = 0
        for entry in self._outbox.first(self._most):
            parcel = self._final(entry)
            count += len(parcel.items)
            size += parcel.weight
            if parcels and (count > _MOST_ITEMS or size > _MOST_BYTES):
                return parcels
            parcels.append(parcel)
        room = min(self._most - len(parcels), _MOST_ITEMS - count)
        return [*parcels, *self.live.take(max(room, 0))]

    def _final(self, entry: Entry) -> Parcel:
        key = entry.key
        ago = entry.finished_ago(now=self._now(), boot=self._boot, wall=outbox.wall())
        last = {**entry.items[-1], "finished": wire.format_duration(ago)}
        bare = self._faults.get(key, 0) >= _MOST_FAULTS
        items = [_bare(last)] if bare else [*entry.items[:-1], last]

        def settle(statuses: Sequence[int]) -> None:
            if not statuses:
                return
            status = statuses[-1]
            if passing_status(status):
                self._faults[key] = self._faults.get(key, 0) + 1
                self._outbox.postpone(key)
            elif status < 300 or status in (404, 409) or bare:
                self._settled(last, status)
                self._faults.pop(key, None)
                self._outbox.acknowledge(key)
            else:
                _log.error("report was refused", run=key[0], status=status)
                self._faults[key] = _MOST_FAULTS

        return Parcel(items, settle)

    def _settled(self, item: Item, status: int) -> None:
        if status < 300 or status in (404, 409):
            _log.info(
                "run reported", run=item["run"], state=item["state"], status=status
            )
        else:
            _log.error("report was given up", run=item["run"], status=status)


def _bare(item: Item) -> Item:
    bare: Item = {name: item[name] for name in _BARE}
    bare["error"] = "the service did not take the full report"
    return bare
