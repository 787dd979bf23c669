"""What schedules refer to is there, in MongoDB."""

from __future__ import annotations

from crony import errors
from crony.model.schedule import Schedule
from crony.storage import changes
from crony.storage.mongodb import kinds, profiles
from crony.storage.mongodb.work import Work


def check(work: Work, schedule: Schedule) -> None:
    """Refuse a schedule whose group or profile is not there, or not as it thinks."""
    written = schedule.definition
    group = work.get(kinds.GROUPS, written.group)
    if group is None:
        raise errors.NotFound("group", written.group)
    profiles.check(work, written.profile)
    if schedule.held != group["paused"]:
        raise changes.lagging(written.group)
