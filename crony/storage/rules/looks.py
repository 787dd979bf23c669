"""Looks at much at once, for drivers on which one look costs no less than several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crony.storage.contract import Live, Runs


def live(
    verbs: Runs, tenant: str, schedules: Sequence[str], *, runs: int, entries: int
) -> Mapping[str, Live]:
    """Return what ``Runs.live`` does, by the verbs that it puts together."""
    newest = verbs.recent(tenant, schedules, limit=runs)
    errors = verbs.errors(tenant, schedules, limit=entries)
    progress = verbs.progress(tenant, schedules, limit=entries)
    return {
        schedule: Live(
            runs=newest.get(schedule, ()),
            errors=errors.get(schedule, ()),
            progress=progress.get(schedule, ()),
        )
        for schedule in {*newest, *errors, *progress}
    }
