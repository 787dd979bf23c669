"""How far a move is, on a terminal."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counting(title: str) -> Iterator[Callable[[str], None]]:
    """Give what is called with the kind of each line that was met."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        counts: Counter[str] = Counter()

        def met(kind: str) -> None:
            counts[kind] += 1
            said = f"{counts['schedule']:,} schedules, {counts['run']:,} runs"
            bar.update(task, description=f"{title}: {said}")

        yield met


@contextmanager
def measured(title: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Give what is called with how many bytes more were done."""
    if size is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=size)
        yield lambda done: bar.advance(task, done)
