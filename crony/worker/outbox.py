"""Final reports, on disk from the end of an attempt until they are acknowledged.

One file for each attempt, written before the attempt counts as over, so that a worker
that is killed finds it again. Most are acknowledged at once and never reach the disk;
when the service does not answer, ``sync`` makes them outlive the host too. A file that
was only half written belongs to an attempt whose end nobody was told: it is put aside.
When the disk refuses, the report waits in memory and the log says so.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

from crony import clock, log
from crony.worker.reports import Item

_log = log.get(__name__)

_SUFFIX = ".json"
#: So many reports may wait.
_MOST = 1000
#: Bytes of an entry that stays in memory too, so that it need not be read again.
_SMALL = 16 << 10

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt's last items, its final report at the end."""

    key: Key
    items: Sequence[Item]
    #: On CLOCK_BOOTTIME of the boot named, and by the wall clock for any other.
    finished_at: timedelta
    boot: str
    finished_wall: float

    def finished_ago(self, *, now: timedelta, boot: str, wall: float) -> timedelta:
        """Return how long ago the attempt ended."""
        if boot == self.boot:
            return max(timedelta(0), now - self.finished_at)
        return timedelta(seconds=max(0.0, wall - self.finished_wall))


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where an entry is: on disk, in memory because it is small, or only there."""

    path: Path | None
    entry: Entry | None


class Outbox:
    """The entries of one worker, oldest first; safe from any thread.

    ``room`` is called when there is room again after it was full.
    """

    def __init__(
        self, directory: Path, *, room: Callable[[], None] = lambda: None
    ) -> None:
        self._directory = directory
        self._room = room
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, _Kept] = OrderedDict()
        self._empty = threading.Condition(self._lock)
        self._unsynced: set[Path] = set()
        self._number = 0
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._load()

    def _load(self) -> None:
        for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
            entry = _read(path)
            if entry is None:
                _log.error("damaged report put aside", file=path.name)
                path.rename(path.with_suffix(".damaged"))
                continue
            self._entries[entry.key] = _Kept(path, None)
            self._number = max(self._number, int(path.name.partition("-")[0]))

    def put(self, entry: Entry) -> None:
        """Keep an entry; when this returns, a kill does not lose it."""
        with self._lock:
            self._number += 1
            number = self._number
        run, token = entry.key
        path = self._directory / f"{number:012d}-{run}.{token}{_SUFFIX}"
        try:
            size = _write(path, entry)
            kept = _Kept(path, entry if size <= _SMALL else None)
        except OSError as exc:
            _log.error(
                "report could not be written; it waits in memory",
                run=run,
                detail=exc.strerror,
            )
            path.unlink(missing_ok=True)
            kept = _Kept(None, entry)
        with self._lock:
            self._entries[entry.key] = kept
            if kept.path is not None:
                self._unsynced.add(kept.path)

    def sync(self) -> None:
        """Make what was put outlive a failure of the host too."""
        with self._lock:
            paths, self._unsynced = self._unsynced, set()
        try:
            for path in paths:
                _synchronise(path)
            if paths:
                _synchronise(self._directory)
        except OSError as exc:
            _log.error("reports could not be synchronised", detail=exc.strerror)

    @property
    def full(self) -> bool:
        """Whether no more leases may be taken: their reports could not be kept.

        What waits in memory alone is lost with the worker, so nothing may follow it.
        """
        with self._lock:
            return self._is_full()

    def _is_full(self) -> bool:
        kept = self._entries.values()
        return len(kept) >= _MOST or any(one.path is None for one in kept)

    def wait_empty(self, timeout: timedelta) -> bool:
        """Wait until the service has taken everything."""
        with self._empty:
            return self._empty.wait_for(
                lambda: not self._entries, timeout.total_seconds()
            )

    def postpone(self, key: Key) -> None:
        """Let the others go first."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)

    def first(self, most: int) -> Sequence[Entry]:
        """Return the oldest entries."""
        with self._lock:
            chosen = [
                (key, kept)
                for (key, kept), _ in zip(
                    self._entries.items(), range(most), strict=False
                )
            ]
        entries = []
        for key, kept in chosen:
            entry = kept.entry
            if entry is None and kept.path is not None:
                entry = _read(kept.path)
            if entry is None:
                _log.error("report has vanished from the disk", run=key[0])
                self.acknowledge(key)
                continue
            entries.append(entry)
        return entries

    def acknowledge(self, key: Key) -> None:
        """Forget an entry that the service has taken."""
        with self._lock:
            was_full = self._is_full()
            kept = self._entries.pop(key, None)
            if kept is not None and kept.path is not None:
                self._unsynced.discard(kept.path)
            if not self._entries:
                self._empty.notify_all()
            has_room = was_full and not self._is_full()
        if has_room:
            self._room()
        if kept is not None and kept.path is not None:
            try:
                kept.path.unlink(missing_ok=True)
            except OSError as exc:
                # Delivering it once more after a restart does no harm.
                _log.warning("report could not be removed", detail=exc.strerror)

    def keys(self) -> Sequence[Key]:
        """Return the attempts whose reports wait; their leases are still held."""
        with self._lock:
            return tuple(self._entries)


def entry_of(
    key: Key,
    items: Sequence[Item],
    *,
    ended_at: timedelta | None = None,
    now: Callable[[], timedelta] = clock.boottime,
) -> Entry:
    """Return an entry for an attempt that has ended just now, or at an instant."""
    at = now()
    ended = at if ended_at is None else ended_at
    return Entry(key, items, ended, boot_id(), wall() - (at - ended).total_seconds())


def boot_id() -> str:
    """Return what tells one boot of this host from another."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def wall() -> float:
    """Return the wall clock, for a difference across a boot alone."""
    return clock.host_now().timestamp()


def _write(path: Path, entry: Entry) -> int:
    """Write an entry; return its size."""
    content = {
        "run": entry.key[0],
        "token": entry.key[1],
        "items": list(entry.items),
        "finished_at": entry.finished_at // timedelta(microseconds=1),
        "boot": entry.boot,
        "finished_wall": entry.finished_wall,
    }
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    encoded = json.dumps(content, separators=(",", ":")).encode("ascii")
    with open(fd, "wb") as file:
        file.write(encoded)
    return len(encoded)


def _synchronise(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # acknowledged meanwhile
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read(path: Path) -> Entry | None:
    try:
        found = json.loads(path.read_bytes())
        return Entry(
            (str(found["run"]), int(found["token"])),
            cast(Sequence[Item], found["items"]),
            timedelta(microseconds=int(found["finished_at"])),
            str(found["boot"]),
            float(found["finished_wall"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
