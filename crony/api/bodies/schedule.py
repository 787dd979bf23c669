"""A schedule, as a client writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field, WithJsonSchema

from crony import errors
from crony.api.bodies.faults import checked, distinct
from crony.api.bodies.fields import Body, JsonValue, Labels, Name, Text, is_name
from crony.api.bodies.hooks import HooksBody, faults_of_hooks
from crony.api.bodies.policy import Misfire, PolicyBody, contradictions
from crony.api.bodies.task import TASK_SCHEMA, TaskOverrides, faults_of_task
from crony.api.bodies.trigger import TriggerBody, faults_of_trigger
from crony.errors import Fault
from crony.model.group import DEFAULT_GROUP
from crony.model.policy import PolicySettings
from crony.model.schedule import Definition
from crony.model.task import Json, JsonObject
from crony.scheduler import references

#: What is read back with a schedule: accepted in a PUT or PATCH, and ignored.
LIVE = frozenset(
    {
        "id",
        "tenant",
        "revision",
        "policy",
        "state",
        "trigger_description",
        "created_at",
        "updated_at",
        "next_run_at",
        "last_run",
        "recent_runs",
        "errors",
        "progress",
        "warnings",
    }
)


class ScheduleBody(PolicyBody, TriggerBody):
    """A schedule: when, what, and by which policy."""

    group: Name = DEFAULT_GROUP
    profile: Name | None = None
    description: Text = ""
    labels: Labels = {}
    task: Annotated[JsonValue, WithJsonSchema(TASK_SCHEMA)]
    hooks: Annotated[HooksBody, Field(json_schema_extra={"default": {}})] = HooksBody()
    queue: Name = "default"
    requires: Labels = {}
    paused: bool = False


Check = Callable[[Definition], Sequence[Fault]]
#: Whether there is a ``group`` or ``profile`` of a name.
Exists = Callable[[str, str], bool]


def definition_of(
    body: Mapping[str, Json],
    *,
    tenant: str,
    now: datetime,
    check: Check,
    exists: Exists,
    beside: Sequence[Fault] = (),
) -> Definition:
    """Return the definition that a body holds, or raise all its faults at once.

    ``check`` is the use case's own look at the trigger (such as one that never
    fires); it is asked whenever the trigger's members are sound, whatever the rest.
    ``beside`` are faults that were found before.
    """
    whole, faults = checked(ScheduleBody, body)
    faults += beside
    when, of_trigger = faults_of_trigger(body, whole=whole, tenant=tenant, now=now)
    faults += of_trigger
    task, of_task = faults_of_task(body["task"]) if "task" in body else (None, [])
    faults += of_task
    faults += faults_of_hooks(body.get("hooks"))
    faults += missing(body, exists=exists)
    policy = PolicySettings() if whole is None else whole.settings()
    made: Definition | None = None
    if when is not None and whole is not None and task is not None:
        made = _definition(when, whole, task, policy, now=now)
    if when is not None:
        faults += check(made or _when(when, whole, policy, now=now))
    faults += contradictions(policy)
    if made is None or faults:
        raise errors.InvalidBody(distinct(faults))
    return made


def _definition(
    when: TriggerBody,
    whole: ScheduleBody,
    task: JsonObject,
    policy: PolicySettings,
    *,
    now: datetime,
) -> Definition:
    return Definition(
        name=when.name,
        description=whole.description,
        labels=dict(whole.labels),
        trigger=when.trigger(now=now),
        start_at=when.start_at,
        end_at=when.end_at,
        max_runs=when.max_runs,
        jitter=when.jitter,
        task=task,
        queue=whole.queue,
        requires=dict(whole.requires),
        policy=policy,
        paused=whole.paused,
        group=whole.group,
        profile=whole.profile,
        hooks=whole.hooks.hooks(),
    )


def missing(
    body: Mapping[str, Json],
    *,
    exists: Exists,
    nouns: Sequence[str] = ("group", "profile"),
) -> list[Fault]:
    """Return the faults of names that nothing has: of a group, of a profile."""
    faults: list[Fault] = []
    for noun in nouns:
        name = body.get(noun)
        if isinstance(name, str) and is_name(name) and not exists(noun, name):
            faults.append(references.fault(noun, name))
    return faults


def _when(
    when: TriggerBody,
    whole: ScheduleBody | None,
    policy: PolicySettings,
    *,
    now: datetime,
) -> Definition:
    """Return what says when, and by which policy, in an otherwise empty definition."""
    return Definition(
        name=when.name,
        description="",
        labels={},
        trigger=when.trigger(now=now),
        start_at=when.start_at,
        end_at=when.end_at,
        max_runs=when.max_runs,
        jitter=when.jitter,
        task={},
        queue="default",
        requires={},
        policy=policy,
        paused=False,
        group=DEFAULT_GROUP if whole is None else whole.group,
        profile=None if whole is None else whole.profile,
    )


def merged(target: Json, patch: Json) -> Json:
    """Return the target changed by an RFC 7396 merge patch."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


#: Schedules in one batch.
MOST_IN_BATCH = 1000


class BatchBody(Body):
    """Schedules to create, or to replace by their names; each is judged by itself."""

    schedules: Annotated[
        list[JsonValue],
        Field(min_length=1, max_length=MOST_IN_BATCH),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"$ref": "#/components/schemas/ScheduleReplacement"},
                "minItems": 1,
                "maxItems": MOST_IN_BATCH,
            }
        ),
    ]


class RunBody(Body):
    """What a manual run may carry."""

    task: TaskOverrides | None = None


class ResumeBody(Body):
    """How to treat what was skipped by the pause; ``null``: it stays skipped."""

    misfire: Misfire | None = None


class EmptyBody(Body):
    """An action that takes nothing."""
