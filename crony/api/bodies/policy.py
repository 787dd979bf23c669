"""The policy fields that a schedule may set; ``null`` is inherited."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from crony.api.bodies.fields import (
    WHOLE,
    Body,
    Duration,
    LogSize,
    PositiveDuration,
    Shape,
    Size,
)
from crony.errors import Fault
from crony.model.policy import (
    AT_MOST_ONCE,
    PolicySettings,
    RetentionSettings,
    RetriesSettings,
    SandboxSettings,
)

OnOverlap: TypeAlias = Literal["queue", "skip", "replace", "allow"]
Misfire: TypeAlias = Literal["all", "latest", "none"]
Delivery: TypeAlias = Literal["at_least_once", "at_most_once"]


class RetriesBody(Body):
    """How failed and timed-out attempts are repeated."""

    max: Annotated[int, Field(ge=0, le=1000), WHOLE] | None = None
    backoff: Duration | None = None
    factor: Annotated[float, Field(ge=1, le=100)] | None = None
    max_backoff: Duration | None = None
    randomize: bool | None = None

    def settings(self) -> RetriesSettings:
        """Return them as the model has them."""
        return RetriesSettings(
            max=self.max,
            backoff=self.backoff,
            factor=self.factor,
            max_backoff=self.max_backoff,
            randomize=self.randomize,
        )


def _absolute(value: str) -> str:
    if "/../" in value + "/":
        raise ValueError(f'"{value[:80]}" is not an absolute path without ".."')
    return value


Path: TypeAlias = Annotated[
    str,
    Field(max_length=4096),
    Shape(r"/[^\x00]*", "an absolute path", "/srv/data"),
    AfterValidator(_absolute),
]
Paths: TypeAlias = Annotated[list[Path], Field(max_length=64)]
Variable: TypeAlias = Annotated[
    str, Shape("[A-Za-z_][A-Za-z0-9_]{0,127}", "the name of a variable", "LANG")
]


class SandboxBody(Body):
    """What the task may use; ``level`` is the least that the schedule accepts."""

    level: Literal["full", "namespaces", "landlock", "none"] | None = None
    network: Literal["none", "host"] | None = None
    memory: Size | None = None
    cpu: Annotated[float, Field(gt=0, le=1024)] | None = None
    pids: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None = None
    disk: Size | None = None
    ro_paths: Paths | None = None
    rw_paths: Paths | None = None
    pass_env: Annotated[list[Variable], Field(max_length=64)] | None = None

    def settings(self) -> SandboxSettings:
        """Return them as the model has them."""
        return SandboxSettings(
            level=self.level,
            network=self.network,
            memory=self.memory,
            cpu=self.cpu,
            pids=self.pids,
            disk=self.disk,
            ro_paths=_frozen(self.ro_paths),
            rw_paths=_frozen(self.rw_paths),
            pass_env=_frozen(self.pass_env),
        )


def _frozen(items: list[str] | None) -> tuple[str, ...] | None:
    return None if items is None else tuple(items)


class RetentionBody(Body):
    """What is kept of a schedule: its newest runs, and of each attempt its output."""

    runs: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None = None
    age: PositiveDuration | None = None
    log: LogSize | None = None

    def settings(self) -> RetentionSettings:
        """Return them as the model has them."""
        return RetentionSettings(runs=self.runs, age=self.age, log=self.log)


Limit: TypeAlias = Annotated[int, Field(ge=1, le=10_000), WHOLE]


class PolicyBody(Body):
    """The policy members of a schedule and of a profile."""

    max_runtime: PositiveDuration | None = None
    grace: Duration | None = None
    max_concurrent: Limit | None = None
    on_overlap: OnOverlap | None = None
    misfire: Misfire | None = None
    misfire_window: Duration | None = None
    retries: RetriesBody | None = None
    max_lost: Annotated[int, Field(ge=1, le=1000), WHOLE] | None = None
    priority: Annotated[int, Field(ge=-100, le=100), WHOLE] | None = None
    deadline: PositiveDuration | None = None
    preemptible: bool | None = None
    delivery: Delivery | None = None
    sandbox: SandboxBody | None = None
    retention: RetentionBody | None = None

    def settings(self) -> PolicySettings:
        """Return them as the model has them."""
        return PolicySettings(
            max_runtime=self.max_runtime,
            grace=self.grace,
            max_concurrent=self.max_concurrent,
            on_overlap=self.on_overlap,
            misfire=self.misfire,
            misfire_window=self.misfire_window,
            retries=self.retries.settings() if self.retries else None,
            max_lost=self.max_lost,
            priority=self.priority,
            deadline=self.deadline,
            preemptible=self.preemptible,
            delivery=self.delivery,
            sandbox=self.sandbox.settings() if self.sandbox else None,
            retention=self.retention.settings() if self.retention else None,
        )


def contradictions(settings: PolicySettings) -> list[Fault]:
    """Return what one level sets that cannot hold together.

    What another level sets gives way: see ``model.policy.resolve``.
    """
    if settings.delivery != AT_MOST_ONCE:
        return []
    faults: list[Fault] = []
    if settings.retries is not None and settings.retries.max:
        faults.append(
            Fault(
                "/retries/max",
                f"{settings.retries.max} would start a run again, and delivery is "
                '"at_most_once"; set 0, or "at_least_once"',
            )
        )
    if settings.preemptible:
        faults.append(
            Fault(
                "/preemptible",
                "true would start a run again, and delivery is "
                '"at_most_once"; set false, or "at_least_once"',
            )
        )
    return faults
