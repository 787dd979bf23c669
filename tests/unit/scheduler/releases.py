"""Releases of the tz database, and schedules that follow them.

A release is a folder with ``Europe/Berlin`` and ``Asia/Tokyo``, whose files are those
of other places: with them the same expression comes due at other instants.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from crony.model.state import RunState
from crony.model.trigger import Cron
from crony.triggers import compiler, release, zone
from tests.unit.scheduler.stage import Stage

#: On the day of the tests these are at 1, 2 and 0 hours from UTC.
PRESENT, EASTWARDS, WESTWARDS = "Europe/Berlin", "Europe/Athens", "Europe/London"
#: It keeps the hours of Berlin today, and kept others long ago.
ALIKE = "Europe/Paris"

CACHES = (
    zone.zone_named,
    zone._known_names,
    release.zone_release,
    compiler._checked_cron,
    compiler._compiled_cron,
    compiler._compiled_cadence,
    compiler._compiled_interval,
    compiler._compiled_instant,
)


class Install(Protocol):
    """Installs a release: two zones of it, and where their files are from."""

    def __call__(self, place: str, *, tokyo: str = "Asia/Tokyo") -> None: ...


@contextmanager
def installing(releases: Path) -> Iterator[Install]:
    """Give what a process would use that starts after the release was installed."""
    before = zoneinfo.TZPATH

    def forget() -> None:
        ZoneInfo.clear_cache()
        for cache in CACHES:
            cache.cache_clear()

    def use(place: str, *, tokyo: str = "Asia/Tokyo") -> None:
        folder = releases / f"{place}-{tokyo}".replace("/", "-")
        for name, source in ((PRESENT, place), ("Asia/Tokyo", tokyo)):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            held = resources.files("tzdata") / "zoneinfo" / source
            file.write_bytes(held.read_bytes())
        zoneinfo.reset_tzpath([str(folder)])
        forget()

    use(PRESENT)
    try:
        yield use
    finally:
        zoneinfo.reset_tzpath(before)
        forget()


def nightly(stage: Stage, hour: int = 20, **members: object) -> str:
    """Add a schedule that is due each day at that hour, in Berlin."""
    trigger = Cron(f"0 {hour} * * *", "Europe/Berlin")
    return stage.add(trigger=trigger, **members).id


def restart(stage: Stage) -> None:
    """Let another process take over, as after a restart of the service."""
    stage.service.ticker.stop()
    stage.service = stage.node()


def instants(stage: Stage, schedule: str) -> list[tuple[object, RunState]]:
    return [
        (run.scheduled_for, run.state)
        for run in stage.runs()
        if run.schedule == schedule
    ]
