"""`crony-api` on a host whose wall clock is wrong: ``shifted.py SECONDS``.

Everything of Python that reads the wall clock is shifted, before anything else is
imported. The clocks that only count stay as they are.
"""

from __future__ import annotations

import datetime as datetimes
import sys
import time
from typing import Any

SHIFT = float(sys.argv.pop(1))


class _Kind(type(datetimes.datetime)):  # type: ignore[misc]  # it is ``type``
    """Instants that C code makes are instants too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, _datetime)


_datetime = datetimes.datetime
_by = datetimes.timedelta(seconds=SHIFT)


class Shifted(_datetime, metaclass=_Kind):
    """``datetime`` as that host knows it."""

    @classmethod
    def now(cls, tz: datetimes.tzinfo | None = None) -> Any:
        return _datetime.now(tz) + _by

    @classmethod
    def utcnow(cls) -> Any:
        return _datetime.now(datetimes.UTC).replace(tzinfo=None) + _by

    @classmethod
    def today(cls) -> Any:
        return _datetime.now() + _by  # as the real one does


_time, _time_ns = time.time, time.time_ns
_gmtime, _localtime = time.gmtime, time.localtime
_clock_gettime, _clock_gettime_ns = time.clock_gettime, time.clock_gettime_ns


def _of_wall(clock: int) -> bool:
    return clock == time.CLOCK_REALTIME


def shift() -> None:
    """Put it wrong."""
    time.time = lambda: _time() + SHIFT
    time.time_ns = lambda: _time_ns() + int(SHIFT * 1e9)
    time.gmtime = lambda secs=None: _gmtime(time.time() if secs is None else secs)
    time.localtime = lambda secs=None: _localtime(time.time() if secs is None else secs)
    time.clock_gettime = lambda clock: _clock_gettime(clock) + SHIFT * _of_wall(clock)
    time.clock_gettime_ns = lambda clock: (
        _clock_gettime_ns(clock) + int(SHIFT * 1e9) * _of_wall(clock)
    )
    datetimes.datetime = Shifted  # type: ignore[misc]  # on purpose


def main() -> None:
    """Run the service there."""
    shift()
    from crony.cli.api import main as api

    api()


if __name__ == "__main__":
    main()
