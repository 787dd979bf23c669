"""Profiles, as clients write them."""

from __future__ import annotations

from crony.api.bodies.fields import Text
from crony.api.bodies.policy import PolicyBody


class ProfileBody(PolicyBody):
    """A profile: any fields of policy; ``null`` is not set here."""

    description: Text = ""


#: What is read back with a profile: accepted in a PUT, and ignored.
LIVE_OF_PROFILE = frozenset(
    {"name", "tenant", "revision", "used_by", "created_at", "updated_at"}
)
