"""Small things that all nouns share."""

from __future__ import annotations

from collections.abc import Mapping

from crony.scheduler.rendering import Object, duration, instant, plain

__all__ = ["Object", "counts", "duration", "instant", "plain"]


def counts(values: Mapping[str, str]) -> Object:
    """Return a map as a plain object."""
    return dict(values)
