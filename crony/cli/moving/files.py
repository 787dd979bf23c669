"""The files that exports are kept in: for their owner alone, and taken up again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click

from crony.cli import output

#: How much of a file is read at once, from its end.
_BLOCK = 64 << 10


@contextmanager
def written(
    path: str | None, *, resumed: bool
) -> Iterator[tuple[BinaryIO, str | None]]:
    """Open what an export is written to; give also the place where it goes on.

    SECURITY: it holds digests of keys, and whatever tasks hold: the file is for its
    owner alone.
    """
    if path is None:
        yield sys.stdout.buffer, None
        return
    how = os.O_RDWR if resumed else os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        handle = os.open(path, how | os.O_CLOEXEC, 0o600)
    except FileExistsError as exc:
        raise click.UsageError(
            f"{path} is there already; to go on with an export that broke off: --resume"
        ) from exc
    except OSError as exc:
        raise click.UsageError(f"{path} can't be written: {exc.strerror}.") from exc
    with os.fdopen(handle, "r+b" if resumed else "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        place = _taken_up(file, path) if resumed else None
        yield file, place
        file.flush()
        os.fsync(file.fileno())


def _taken_up(file: BinaryIO, path: str) -> str | None:
    """Cut off what is no whole line; return the place behind the last that is."""
    end, line = last_line(file)
    if not line:
        file.truncate(0)
        file.seek(0)
        return None
    try:
        said = json.loads(line)
        kind, place = said["kind"], said["place"]
    except (ValueError, KeyError, TypeError) as exc:
        raise click.UsageError(f"{path} holds no export.") from exc
    if kind == "complete":
        output.note(f"{path} is complete")
        raise click.exceptions.Exit
    if not place:
        # Only the header came: a new one is as good.
        file.truncate(0)
        file.seek(0)
        return None
    file.truncate(end)
    file.seek(end)
    return str(place)


def last_line(file: BinaryIO) -> tuple[int, bytes]:
    """Return the last whole line of a file, and where it ends."""
    start = file.seek(0, os.SEEK_END)
    tail = b""
    while start > 0 and tail.count(b"\n") < 2:
        block = min(_BLOCK, start)
        start = file.seek(start - block)
        tail = file.read(block) + tail
    whole = tail[: tail.rfind(b"\n") + 1]
    line = whole[whole.rfind(b"\n", 0, -1) + 1 :]
    return start + len(whole), line


@contextmanager
def read(path: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """Open an export; give also its size, where it is known."""
    if path == "-":
        yield sys.stdin.buffer, None
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise click.UsageError(f"{path} can't be read: {exc.strerror}.") from exc
    with os.fdopen(handle, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        yield file, size or None
