"""A wake: news that there is something to look at, and its form between processes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crony.model.lease import Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """What there is to look at.

    ``ready`` are lines in which runs may have become leasable, ``workers`` those
    with something to give up, ``runs`` those with a new state, progress or output.
    ``tick`` asks the ticker to look at once. Any of these may come with new events;
    ``events`` is for those that come with nothing else. ``duties`` were given up, and
    are anybody's. ``missed``: there may have been any news, so whoever waits looks.
    """

    ready: Ready = frozenset()
    workers: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()
    duties: frozenset[str] = frozenset()
    tick: bool = False
    events: bool = False
    missed: bool = False

    def __or__(self, other: Wake) -> Wake:
        """Return one that wakes whom either does."""
        return Wake(
            ready=self.ready | other.ready,
            workers=self.workers | other.workers,
            runs=self.runs | other.runs,
            duties=self.duties | other.duties,
            tick=self.tick or other.tick,
            events=self.events or other.events,
            missed=self.missed or other.missed,
        )

    def __bool__(self) -> bool:
        return self != _NOTHING

    def __len__(self) -> int:
        """Return how many things it names."""
        named = (self.ready, self.workers, self.runs, self.duties)
        return sum(len(things) for things in named)


_NOTHING = Wake()


def spoken(wake: Wake) -> dict[str, object]:
    """Return a wake as processes send it; what is empty is left out."""
    message: dict[str, object] = {
        "ready": sorted(wake.ready),
        "workers": sorted(wake.workers),
        "runs": sorted(wake.runs),
        "duties": sorted(wake.duties),
        "tick": wake.tick,
        "events": wake.events,
        "missed": wake.missed,
    }
    return {name: value for name, value in message.items() if value}


def understood(message: object) -> Wake | None:
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
        duties=_texts(message.get("duties")),
        tick=message.get("tick") is True,
        events=message.get("events") is True,
        missed=message.get("missed") is True,
    )


def _texts(value: object) -> frozenset[str]:
    if not isinstance(value, list):
        return frozenset()
    return frozenset(item for item in value if isinstance(item, str))


def packed(
    message: Mapping[str, object], *, head: Mapping[str, str], most: int
) -> Iterator[bytes]:
    """Write a message as JSON, in as many parts as it takes to keep each within
    ``most`` bytes; all have ``head``, and one what is no list."""
    part: dict[str, object] = {
        **head,
        **{name: value for name, value in message.items() if not _is_list(value)},
    }
    size = len(encoded(part))
    for name, value in message.items():
        if not isinstance(value, Sequence) or isinstance(value, str):
            continue
        for item in value:
            # With the comma, or with the name it comes under.
            longer = len(encoded(item)) + len(name) + len('"":[],')
            if size + longer > most:
                yield encoded(part)
                part = dict(head)
                size = len(encoded(part))
            items = part.setdefault(name, [])
            assert isinstance(items, list)
            items.append(item)
            size += longer
    if len(part) > len(head):
        yield encoded(part)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def encoded(value: object) -> bytes:
    """Return JSON as it goes from process to process."""
    return json.dumps(value, separators=(",", ":")).encode()
