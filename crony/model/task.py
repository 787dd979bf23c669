"""JSON values, and the kinds of task.

A task is kept as the JSON object its author wrote, with exactly one of
``KINDS`` as a member. The service checks its form at the door and gives it on;
only the worker reads meaning into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = (
    "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
)
JsonObject: TypeAlias = "Mapping[str, Json]"

KINDS = ("command", "script", "python", "http")

#: Bytes of a command with its arguments: more no system would start.
MOST_COMMAND = 128 << 10


def kind(task: JsonObject) -> str:
    """Return which of ``KINDS`` the task is."""
    return next(name for name in KINDS if name in task)
