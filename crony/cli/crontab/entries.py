"""Make schedules of a crontab's entries."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from crony.cli.crontab.parse import Entry
from crony.model.task import Json, JsonObject

_LONGEST_NAME = 128
_DIGITS = 12


class Wanted(NamedTuple):
    """A schedule as the crontab wants it, and the line that it comes from."""

    path: str
    line: int
    body: JsonObject

    @property
    def name(self) -> str:
        """The schedule's name."""
        return str(self.body["name"])


def file_label(path: str) -> str:
    """Return the file's name in the alphabet of names: the value of its label."""
    base = "stdin" if path == "-" else Path(path).name
    made = re.sub(r"[^a-z0-9._-]+", "-", base.lower()).strip("-._")
    return made[: _LONGEST_NAME - _DIGITS - 6].rstrip("-._") or "crontab"


def schedules_of(
    path: str,
    entries: Iterable[Entry],
    *,
    zone: str,
    queue: str | None,
    names: Counter[str],
) -> list[Wanted]:
    """Return a schedule for each entry; ``names`` counts those given out so far.

    The name is made of what makes a line this line: zone, user, when and command.
    The same file read twice gives the same names, and an edited line another. Lines
    that are alike to the letter are told apart by a number.
    """
    label = file_label(path)
    made: list[Wanted] = []
    for entry in entries:
        name = f"{label}-{_digest(entry, zone)}"
        names[name] += 1
        if names[name] > 1:
            name = f"{name}-{names[name]}"
        made.append(Wanted(path, entry.line, _body(entry, name, label, zone, queue)))
    return made


def host_zone() -> str:
    """Return the name of this host's time zone, as cron would use it."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", named):
        return named
    try:
        target = os.path.realpath("/etc/localtime", strict=True)
        _, found, zone = target.partition("/zoneinfo/")
        return zone.removeprefix("posix/") if found else _named_zone()
    except OSError:
        return _named_zone()


def _named_zone() -> str:
    try:
        return Path("/etc/timezone").read_text(encoding="ascii").strip() or "UTC"
    except (OSError, UnicodeDecodeError):
        return "UTC"


def _digest(entry: Entry, zone: str) -> str:
    said = (
        entry.zone or zone,
        entry.user or "",
        entry.when,
        entry.command,
        entry.stdin,
    )
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:_DIGITS]


def _body(
    entry: Entry, name: str, label: str, zone: str, queue: str | None
) -> JsonObject:
    labels: dict[str, Json] = {"crontab": label}
    if entry.user is not None:
        labels["user"] = entry.user
    body: dict[str, Json] = {
        "name": name,
        "labels": labels,
        "cron": entry.when,
        "timezone": entry.zone or zone,
        "task": {
            "command": [entry.shell, "-c", entry.command],
            "env": dict(entry.environment),
            "stdin": entry.stdin,
        },
    }
    if queue is not None:
        body["queue"] = queue
    return body
