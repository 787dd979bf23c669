"""Draw figures as bars, in SVG: from nothing to the median, and how far they spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
)


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Return a drawing; bars of one unit share a scale."""
    height = _TOP + _STEP * len(rows) + 8
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
            f' width="{_WIDTH}" height="{height}" role="img">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
            f'<text class="title" x="12" y="24">{escape(title)}</text>',
            *_rows(rows),
            "</svg>\n",
        ]
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
