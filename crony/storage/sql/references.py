"""What schedules, groups and tenants refer to is there, in SQL."""

from __future__ import annotations

from crony import errors
from crony.model.schedule import Schedule
from crony.storage import changes
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import text

_GROUP = text(
    "SELECT paused FROM schedule_groups WHERE tenant = :tenant AND name = :name"
)
_PROFILE = text("SELECT 1 FROM profiles WHERE tenant = :tenant AND name = :name")


def check(connection: Connection, schedule: Schedule) -> None:
    """Refuse a schedule whose group or profile is not there, or not as it thinks."""
    if lags(connection, schedule):
        raise changes.lagging(schedule.definition.group)


def lags(connection: Connection, schedule: Schedule) -> bool:
    """Refuse a schedule whose group or profile is not there.

    Returns whether the group's pause is not as it thinks.
    """
    written = schedule.definition
    asked = {"tenant": schedule.tenant, "name": written.group}
    paused = connection.execute(_GROUP, asked).scalar()
    if paused is None:
        raise errors.NotFound("group", written.group)
    check_profile(connection, schedule.tenant, written.profile)
    return schedule.held != bool(paused)


def check_profile(connection: Connection, tenant: str, profile: str | None) -> None:
    """Refuse a reference to a profile that is not there."""
    asked = {"tenant": tenant, "name": profile}
    if profile is not None and connection.execute(_PROFILE, asked).first() is None:
        raise errors.NotFound("profile", profile)
