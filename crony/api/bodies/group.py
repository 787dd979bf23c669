"""Groups, as clients write them."""

from __future__ import annotations

from crony.api.bodies.fields import Body, Name, Text
from crony.api.bodies.policy import Limit


class GroupBody(Body):
    """A group: the profile of its schedules, and how many of its runs go at once."""

    description: Text = ""
    profile: Name | None = None
    max_concurrent: Limit | None = None
    paused: bool = False


#: What is read back with a group: accepted in a PUT, and ignored.
LIVE_OF_GROUP = frozenset(
    {"name", "tenant", "revision", "schedules", "created_at", "updated_at"}
)
