"""A span whose occurrences are to be run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from crony.api.bodies.fields import Body, Instant


class BackfillBody(Body):
    """From when, inclusive, to when, exclusive."""

    since: Annotated[Instant, Field(alias="from")]
    until: Annotated[Instant, Field(alias="to")]
    #: Say what would be made, and make nothing.
    dry_run: bool = False
