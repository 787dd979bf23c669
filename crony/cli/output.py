"""What the programs print: tables for people, JSON for programs.

A terminal gets tables that fit its width, with colours. A pipe gets plain columns,
never cut, so that what reads them gets all of it.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence

import click

_STATES = {
    "succeeded": "green",
    "active": "green",
    "online": "green",
    "running": "cyan",
    "stopping": "cyan",
    "leased": "cyan",
    "failed": "red",
    "timed_out": "red",
    "lost": "red",
    "missed": "yellow",
    "expired": "yellow",
    "skipped": "yellow",
    "cancelled": "yellow",
    "paused": "yellow",
    "upcoming": "cyan",
    "unrecorded": "red",
    "preempted": "yellow",
    "delivered": "green",
    "draining": "yellow",
}

#: A colour, which a terminal may have; everything else that is not text may not.
_UNPRINTABLE = re.compile(r"(\x1b\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def document(value: object) -> None:
    """Print what the service answered, as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their headings."""
    cleaned = [[plain(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(columns, cleaned)
        return
    widths = [
        max(_width(cell) for cell in column)
        for column in zip(columns, *cleaned, strict=True)
    ]
    for row in (columns, *cleaned):
        cells = (
            cell + " " * (width - _width(cell))
            for cell, width in zip(row, widths, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def facts(pairs: Mapping[str, str]) -> None:
    """Print names and values, one a line; what is empty is left out."""
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        if value:
            heading = click.style(f"{name:<{width}}", dim=True)
            click.echo(f"{heading}  {state(value)}")


def state(word: str) -> str:
    """Return a state in its colour, anything else as it is."""
    return click.style(plain(word), fg=_STATES.get(word))


def note(text: str) -> None:
    """Say something beside the result, on stderr."""
    click.echo(plain(text), err=True)


def warning(text: str) -> None:
    """Say what works, but perhaps not as it was meant."""
    click.echo(f"{click.style('warning:', fg='yellow')} {plain(text)}", err=True)


def plain(text: str) -> str:
    """Escape what would move the cursor, or otherwise play with a terminal."""
    return _UNPRINTABLE.sub(lambda m: m[1] or f"\\x{ord(m[0]):02x}", text)


def counted(count: int | str, noun: str) -> str:
    """Return ``1 run`` or ``2 runs``."""
    return f"{count} {noun}" if str(count) == "1" else f"{count} {noun}s"


def shown(text: str) -> str:
    """Return a value short enough for a line, without line breaks."""
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:77] + "..."


def _rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell, style=_STATES.get(cell, "")) for cell in row))
    Console().print(made)


def _width(text: str) -> int:
    """Return the columns that a text takes: most of East Asia's take two."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)
