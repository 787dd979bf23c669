"""Hooks of a schedule: tasks that follow what becomes of an attempt."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import Field, WithJsonSchema

from crony.api.bodies.fields import Body, Interval, JsonValue
from crony.api.bodies.task import TASK_SCHEMA, faults_of_task
from crony.errors import Fault
from crony.model.hook import Hook, HookKind
from crony.model.task import Json


class HookBody(Body):
    """A task that is run when an attempt has failed, or when the run succeeded."""

    task: Annotated[JsonValue, WithJsonSchema(TASK_SCHEMA)]


class ProgressHookBody(HookBody):
    """A task that is run again and again while an attempt goes on."""

    interval: Annotated[Interval, Field(json_schema_extra={"default": "30s"})] = (
        timedelta(seconds=30)
    )


class HooksBody(Body):
    """What is run beside a schedule's task; each is optional.

    A hook has the facts of the run in its environment (``CRONY_PARENT_…``) and as
    JSON on its standard input; what it prints stands with the schedule.
    """

    error: HookBody | None = None
    progress: ProgressHookBody | None = None
    success: HookBody | None = None

    def hooks(self) -> Mapping[HookKind, Hook]:
        """Return them as the model has them, without those whose task has faults.

        What these are, ``faults_of_hooks`` says.
        """
        found: dict[HookKind, Hook] = {}
        for kind in HookKind:
            body: HookBody | None = getattr(self, kind.value)
            if body is None:
                continue
            task, _ = faults_of_task(body.task)  # type: ignore[arg-type]  # from JSON
            if task is not None:
                interval = body.interval if isinstance(body, ProgressHookBody) else None
                found[kind] = Hook(task=task, interval=interval)
        return found


def faults_of_hooks(value: Json) -> list[Fault]:
    """Return the faults of the hooks' tasks, whatever else is wrong with them."""
    if not isinstance(value, Mapping):
        return []
    faults: list[Fault] = []
    for kind in HookKind:
        hook = value.get(kind.value)
        if isinstance(hook, Mapping) and "task" in hook:
            _, found = faults_of_task(hook["task"], at=f"/hooks/{kind.value}/task")
            faults += found
    return faults
