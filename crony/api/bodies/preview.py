"""A trigger to look at, not to keep."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from crony.api.bodies.fields import WHOLE
from crony.api.bodies.trigger import TriggerBody


class PreviewBody(TriggerBody):
    """The members that say when, and how many instants to show."""

    count: Annotated[int, Field(ge=1, le=1000), WHOLE] = 10
