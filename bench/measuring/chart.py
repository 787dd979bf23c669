"""Draw figures in SVG: as bars with how far they spread, or as lines over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from bench.measuring.rates import Spread

#: Title, unit, and how large.
Bar = tuple[str, str, Spread]

_WIDTH, _LABELS, _VALUES = 760, 300, 110
_STEP, _BAR, _TOP = 30, 16, 44
_STYLE = (
    "text{font:13px sans-serif;fill:#222}"
    ".title{font-weight:bold}"
    ".label{text-anchor:end}"
    ".bar{fill:#4a7fb0}"
    ".spread{stroke:#222;stroke-width:1.4}"
    ".line{fill:none;stroke-width:2}"
)
_PLOT, _LEFT = 180, 60
_COLOURS = ("#4a7fb0", "#c0703a", "#5a9a5a", "#8a5aa8")


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Return a drawing; bars of one unit share a scale."""
    return _drawing(title, _TOP + _STEP * len(rows) + 8, _rows(rows))


def lines(
    title: str, unit: str, series: Mapping[str, Sequence[float]], *, seconds: float
) -> str:
    """Return a drawing of what was looked at all the time, from zero up."""
    height = _TOP + _PLOT + 24 + 20 * len(series)
    return _drawing(title, height, _lines(unit, series, seconds=seconds))


def _drawing(title: str, height: int, parts: Iterator[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
            f' width="{_WIDTH}" height="{height}" role="img">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
            f'<text class="title" x="12" y="24">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        ]
    )


def _lines(
    unit: str, series: Mapping[str, Sequence[float]], *, seconds: float
) -> Iterator[str]:
    most = max((max(values, default=0) for values in series.values()), default=0) or 1
    floor, width = _TOP + _PLOT, _WIDTH - _LEFT - 20
    yield (
        f'<path class="spread" fill="none"'
        f' d="M{_LEFT} {_TOP}V{floor}H{_LEFT + width}"/>'
        f'<text class="label" x="{_LEFT - 6}" y="{_TOP + 10}">{_told(most)}</text>'
        f'<text class="label" x="{_LEFT - 6}" y="{floor}">0</text>'
        f'<text class="label" x="{_LEFT + width}" y="{floor + 16}">'
        f"{_told(seconds)} s</text>"
    )
    for place, (name, values) in enumerate(series.items()):
        step = width / max(len(values) - 1, 1)
        points = " ".join(
            f"{_LEFT + step * number:.1f},{floor - value / most * _PLOT:.1f}"
            for number, value in enumerate(values)
        )
        colour, y = _COLOURS[place % len(_COLOURS)], floor + 36 + 20 * place
        last = f"{_told(values[-1])} {unit}" if values else ""
        yield (
            f'<polyline class="line" stroke="{colour}" points="{points}"/>'
            f'<rect x="{_LEFT}" y="{y - 9}" width="14" height="8" fill="{colour}"/>'
            f'<text x="{_LEFT + 22}" y="{y}">{escape(name)}: {escape(last)}'
            " at the end</text>"
        )


def _rows(rows: Sequence[Bar]) -> Iterator[str]:
    room = _WIDTH - _LABELS - _VALUES
    most: dict[str, float] = {}
    for _, unit, spread in rows:
        most[unit] = max(most.get(unit, 0.0), spread.most)
    for place, (title, unit, spread) in enumerate(rows):
        scale = room / most[unit] if most[unit] > 0 else 0.0
        top = _TOP + place * _STEP
        y = top + _BAR / 2
        from_, to = _LABELS + spread.least * scale, _LABELS + spread.most * scale
        yield (
            f'<text class="label" x="{_LABELS - 10}" y="{y + 5}">{escape(title)}</text>'
            f'<rect class="bar" x="{_LABELS}" y="{top}" height="{_BAR}"'
            f' width="{max(spread.middle * scale, 1):.1f}"/>'
            f'<path class="spread" d="M{from_:.1f} {y}H{to:.1f}M{from_:.1f} {y - 4}v8'
            f'M{to:.1f} {y - 4}v8"/>'
            f'<text x="{to + 8:.1f}" y="{y + 5}">'
            f"{_told(spread.middle)} {escape(unit)}</text>"
        )


def _told(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
