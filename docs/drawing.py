"""Draw the states of a run as SVG, from the table of transitions.

Where a state stands, and which lines bend, is written here; which lines there are is
the table's alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

from crony.model.state import EXECUTING, HELD, TERMINAL, TRANSITIONS, RunState

Point = tuple[float, float]

WIDTH, HEIGHT = 940, 490
#: Of a box, from its middle.
HALF_WIDTH, HALF_HEIGHT = 52, 18
START: Point = (24, 190)

_S = RunState

PLACES: Mapping[RunState, Point] = {
    _S.WITHDRAWN: (105, 40),
    _S.PENDING: (210, 190),
    _S.LEASED: (440, 190),
    _S.RUNNING: (660, 130),
    _S.STOPPING: (660, 265),
    _S.SUCCEEDED: (875, 40),
    _S.TIMED_OUT: (875, 130),
    _S.FAILED: (875, 215),
    _S.CANCELLED: (875, 380),
    _S.MISSED: (60, 440),
    _S.SKIPPED: (190, 440),
    _S.EXPIRED: (320, 440),
}

#: What a run may begin as: an occurrence that never runs is over at once.
BEGINNINGS = (_S.PENDING, _S.MISSED, _S.SKIPPED)

#: How far the middle of a line is moved, where a straight one would cross a box or
#: lie on the line back.
_BENDS: Mapping[tuple[RunState, RunState], Point] = {
    (_S.PENDING, _S.LEASED): (0, -9),
    (_S.LEASED, _S.PENDING): (0, 9),
    (_S.PENDING, _S.WITHDRAWN): (-8, 6),
    (_S.WITHDRAWN, _S.PENDING): (8, -6),
    (_S.RUNNING, _S.PENDING): (0, -42),
    (_S.STOPPING, _S.PENDING): (0, 40),
    (_S.PENDING, _S.CANCELLED): (-50, 120),
    (_S.LEASED, _S.CANCELLED): (-40, 65),
    (_S.LEASED, _S.FAILED): (0, 4),
}

_FILLS = (
    (TERMINAL, "#e6e6e6"),
    (EXECUTING, "#f7d9a8"),
    (HELD, "#fbeccd"),
)
_STYLE = (
    "text{font:13px sans-serif;text-anchor:middle;fill:#222}"
    "path{fill:none;stroke:#666;stroke-width:1.2}"
    "rect{stroke:#444;stroke-width:1.2}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line from one box, or from the start, to another, as a row of points."""

    before: RunState | None
    after: RunState
    points: tuple[Point, ...]


def lines() -> list[Line]:
    """Return all lines: one for each beginning and each transition."""
    found = [
        Line(None, state, _clipped(START, PLACES[state], None, state))
        for state in BEGINNINGS
    ]
    found += [
        Line(before, after, _clipped(PLACES[before], PLACES[after], before, after))
        for before, follows in TRANSITIONS.items()
        # In the table's own order, so that the file does not change by itself.
        for after in TRANSITIONS
        if after in follows
    ]
    return found


def inside(point: Point, state: RunState, *, margin: float = 0) -> bool:
    """Return whether a point lies in the box of a state."""
    x, y = PLACES[state]
    return (
        abs(point[0] - x) <= HALF_WIDTH + margin
        and abs(point[1] - y) <= HALF_HEIGHT + margin
    )


def runs() -> str:
    """Return the drawing of a run's states."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        "<!-- Written by `python docs/pages.py`. -->",
        "<title>The states of a run</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" style="fill:#fff;stroke:none"/>',
        f'<circle cx="{START[0]}" cy="{START[1]}" r="7" style="fill:#222"/>',
    ]
    for line in lines():
        parts += _drawn(line)
    parts += [_box(state) for state in PLACES]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _clipped(
    start: Point, end: Point, before: RunState | None, after: RunState
) -> tuple[Point, ...]:
    """Return a curve between two boxes, without what of it lies in them."""
    bend = (0.0, 0.0) if before is None else _BENDS.get((before, after), (0.0, 0.0))
    # The middle of a quadratic curve moves half as far as the point that bends it.
    control = (
        (start[0] + end[0]) / 2 + 2 * bend[0],
        (start[1] + end[1]) / 2 + 2 * bend[1],
    )
    steps = 60
    curve = [_at(start, control, end, number / steps) for number in range(steps + 1)]
    kept = [
        point
        for point in curve
        if not inside(point, after, margin=3)
        and not (before is not None and inside(point, before))
        and not (before is None and hypot(point[0] - start[0], point[1] - start[1]) < 9)
    ]
    return tuple(kept)


def _at(start: Point, control: Point, end: Point, share: float) -> Point:
    rest = 1 - share
    x, y = (
        rest * rest * a + 2 * rest * share * b + share * share * c
        for a, b, c in zip(start, control, end, strict=True)
    )
    return x, y


def _drawn(line: Line) -> Iterable[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line.points)
    name = f"{line.before or 'start'}-{line.after}"
    yield f'<path id="{name}" d="M{path.replace(" ", " L", 1)}"/>'
    yield _head(line.points)


def _head(points: tuple[Point, ...]) -> str:
    """Return the head of an arrow, in the direction in which its line ends."""
    *_, (before, last) = pairwise(points)
    dx, dy = last[0] - before[0], last[1] - before[1]
    length = hypot(dx, dy) or 1.0
    dx, dy = dx / length, dy / length
    base = (last[0] - 8 * dx, last[1] - 8 * dy)
    corners = (
        last,
        (base[0] - 4 * dy, base[1] + 4 * dx),
        (base[0] + 4 * dy, base[1] - 4 * dx),
    )
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return f'<polygon points="{text}" style="fill:#666"/>'


def _box(state: RunState) -> str:
    x, y = PLACES[state]
    fill = next((colour for states, colour in _FILLS if state in states), "#d8e8f7")
    return (
        f'<rect x="{x - HALF_WIDTH}" y="{y - HALF_HEIGHT}" rx="6" '
        f'width="{2 * HALF_WIDTH}" height="{2 * HALF_HEIGHT}" style="fill:{fill}"/>'
        f'<text x="{x}" y="{y + 4}">{state}</text>'
    )
