"""What schedules, groups and tenants refer to is there, in memory."""

from __future__ import annotations

from crony import errors
from crony.model.group import Group
from crony.model.schedule import Schedule
from crony.storage import changes
from crony.storage.memory.state import Memory


def check_references(memory: Memory, schedule: Schedule) -> None:
    """Refuse a schedule whose group or profile is not there, or not as it thinks."""
    group = check_group(memory, schedule)
    if schedule.held != group.paused:
        raise changes.lagging(group.name)


def check_group(memory: Memory, schedule: Schedule) -> Group:
    """Refuse a schedule whose group or profile is not there; return the group."""
    written = schedule.definition
    group = memory.groups.get((schedule.tenant, written.group))
    if group is None:
        raise errors.NotFound("group", written.group)
    check_profile(memory, schedule.tenant, written.profile)
    return group


def check_profile(memory: Memory, tenant: str, profile: str | None) -> None:
    """Refuse a reference to a profile that is not there."""
    if profile is not None and (tenant, profile) not in memory.profiles:
        raise errors.NotFound("profile", profile)
