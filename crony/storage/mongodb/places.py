"""Limits of groups and tenants: who takes them up, and what a free place lets go."""

from __future__ import annotations

from crony.model.lease import Ready
from crony.storage.mongodb.work import Work


def keep_limit(work: Work, group: str | None, limit: int | None) -> None:
    """Keep the limit of a group, or of the tenant."""
    work.keep(f"limit/{group or ''}", limit)


def opened(work: Work) -> Ready:
    """Return the lines of what waited for a place, and has one since this verb."""
    del work
    return frozenset()
