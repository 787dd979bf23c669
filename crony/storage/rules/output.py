"""Which output of an attempt is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """A piece of output to be kept; ``head`` pieces are never dropped."""

    stream: str
    offset: int
    data: bytes
    head: bool


def pieces(
    stream: str, offset: int, data: bytes, *, position: int, room: int, bound: int
) -> Sequence[Kept]:
    """Return what of an arriving chunk is to be kept.

    ``position`` is up to where the stream is known, ``room`` how much of the head
    is free, ``bound`` how large the part after the head may be.
    """
    data = data[max(0, position - offset) :]
    offset = max(offset, position)
    kept = []
    if room and data:
        kept.append(Kept(stream, offset, data[:room], head=True))
        offset, data = offset + len(data[:room]), data[room:]
    elif not data:
        kept.append(Kept(stream, offset, b"", head=False))
    if data:
        cut = max(0, len(data) - bound)
        kept.append(Kept(stream, offset + cut, data[cut:], head=False))
    return kept
