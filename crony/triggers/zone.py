"""A time zone as the stretches of time between two changes of its offset.

``zoneinfo`` answers what the offset is at an instant but not when it changes next.
That is found here by probing: each year once, every other day, and by halving
where two probes differ. In the whole tz database two changes of one zone are never
less than six days apart, so no pair of them hides between two probes.
"""

from __future__ import annotations

import difflib
import hashlib
import zoneinfo
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from crony import errors
from crony.clock import EPOCH
from crony.triggers.occurrences import DAY, instant_at

_PROBE: Final = 2 * DAY
_FIRST_YEAR: Final = 2
_LAST_YEAR: Final = 9998
_ALWAYS: Final = 10**15

# Names that are no zone of their own: they mean another one on each host.
HOST_DEPENDENT: Final = frozenset({"localtime", "posixrules", "Factory"})
_FIXED: Final = frozenset({"UTC", "GMT", "UCT", "Zulu", "Universal", "Greenwich"})


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of offset: at ``at`` seconds the zone goes from one to another."""

    at: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time of one offset: ``begin`` inclusive, ``end`` exclusive.

    ``opening`` and ``closing`` are the changes at its ends. A stretch that goes on
    for longer than is known is cut at a year's end; that end has no change.
    """

    begin: int
    end: int
    offset: int
    opening: Transition | None
    closing: Transition | None


class Zone:
    """One zone of the tz database; keeps what it has probed.

    ``rules`` is a digest of what its file held when it was first asked for, the same
    for all names of the zone; empty for a zone whose offset is fixed.
    """

    def __init__(self, name: str, info: ZoneInfo) -> None:
        self.name = name
        self.info = info
        self._fixed = name in _FIXED or name.startswith("Etc/")
        self.rules = "" if self._fixed else digest_of(name)
        self._years: dict[int, tuple[Transition, ...]] = {}

    def stretch(self, seconds: int) -> Stretch:
        """Return the stretch that holds an instant, given in seconds since 1970."""
        if self._fixed:
            return Stretch(-_ALWAYS, _ALWAYS, self._offset(0), None, None)
        year = instant_at(seconds).year
        # The neighbours are looked at too, so that an end without a change has
        # none close behind it either: a fold's length reaches back over its start.
        nearby = tuple(t for y in (year - 1, year, year + 1) for t in self._year(y))
        index = bisect_right(nearby, seconds, key=lambda change: change.at)
        opening = nearby[index - 1] if index else None
        closing = nearby[index] if index < len(nearby) else None
        return Stretch(
            opening.at if opening else _start_of(year),
            closing.at if closing else _start_of(year + 1),
            self._offset(seconds),
            opening,
            closing,
        )

    def local(self, instant: datetime) -> datetime:
        """Return an instant as this zone's wall clock shows it."""
        return instant.astimezone(self.info)

    def _offset(self, seconds: int) -> int:
        shown = instant_at(seconds).astimezone(self.info).utcoffset()
        return 0 if shown is None else shown // timedelta(seconds=1)

    def _year(self, year: int) -> tuple[Transition, ...]:
        known = self._years.get(year)
        if known is None:
            known = self._years[year] = tuple(self._probed(year))
        return known

    def _probed(self, year: int) -> list[Transition]:
        if not _FIRST_YEAR <= year <= _LAST_YEAR:
            return []
        found: list[Transition] = []
        start, end = _start_of(year), _start_of(year + 1)
        before = self._offset(start)
        for low in range(start, end, _PROBE):
            high = min(low + _PROBE, end)
            after = self._offset(high)
            if after != before:
                found.append(self._change(low, high, before=before, after=after))
            before = after
        return found

    def _change(self, low: int, high: int, *, before: int, after: int) -> Transition:
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle) == before:
                low = middle
            else:
                high = middle
        return Transition(high, before, after)


@lru_cache(maxsize=1024)
def zone_named(name: str) -> Zone:
    """Return the zone of an IANA name, or refuse it with the nearest names."""
    try:
        if name in HOST_DEPENDENT or name.startswith(("posix/", "right/")):
            raise ZoneInfoNotFoundError(name)
        return Zone(name, ZoneInfo(name))
    # A name may also be a folder, too long or not a relative path at all.
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise errors.InvalidTrigger("timezone", _unknown(name)) from exc


def digest_of(name: str) -> str:
    """Return a digest of a zone's file, from where ``zoneinfo`` takes it.

    The file holds all changes of the offset, and the rule by which they go on.
    """
    return hashlib.sha256(_data(name)).hexdigest()


def _data(name: str) -> bytes:
    for folder in zoneinfo.TZPATH:
        path = Path(folder, name)
        if path.is_file():
            return path.read_bytes()
    try:
        return (resources.files("tzdata") / "zoneinfo" / name).read_bytes()
    except OSError:
        return b""


def _unknown(name: str) -> str:
    nearest = _nearest_names(name)
    hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
    return f'"{name[:80]}" is not a time zone of the IANA database{hint}'


def _nearest_names(name: str) -> list[str]:
    spoken = {known.casefold(): known for known in _known_names()}
    cities = {known.rsplit("/", 1)[-1]: spoken[known] for known in sorted(spoken)}
    asked = name[:80].casefold().replace(" ", "_")
    if asked in cities:
        return [cities[asked]]
    near = difflib.get_close_matches(asked, spoken, n=3, cutoff=0.6)
    near_cities = difflib.get_close_matches(asked, cities, n=3, cutoff=0.8)
    found = [spoken[match] for match in near] + [cities[match] for match in near_cities]
    return list(dict.fromkeys(found))[:3]


@lru_cache(maxsize=1)
def _known_names() -> frozenset[str]:
    return frozenset(available_timezones()) - HOST_DEPENDENT


def _start_of(year: int) -> int:
    year = min(max(year, 1), 9999)
    return (datetime(year, 1, 1, tzinfo=UTC) - EPOCH).days * DAY
