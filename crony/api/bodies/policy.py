"""The policy fields that a schedule may set; ``null`` is inherited."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from crony.api.bodies.fields import (
    WHOLE,
    Body,
    Duration,
    PositiveDuration,
    Size,
)
from crony.model.policy import PolicySettings, RetriesSettings, SandboxSettings


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
    if not value.startswith("/") or "/../" in value + "/":
        raise ValueError(f'"{value[:80]}" is not an absolute path without ".."')
    return value


Path: TypeAlias = Annotated[
    str,
    Field(max_length=4096, pattern="^/", examples=["/srv/data"]),
    AfterValidator(_absolute),
]
Paths: TypeAlias = Annotated[list[Path], Field(max_length=64)]
Variable: TypeAlias = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,127}$")]


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


class PolicyBody(Body):
    """The policy members of a schedule."""

    max_runtime: PositiveDuration | None = None
    grace: Duration | None = None
    max_concurrent: Annotated[int, Field(ge=1, le=10_000), WHOLE] | None = None
    on_overlap: Literal["queue"] | None = None
    misfire: Literal["all"] | None = None
    retries: RetriesBody | None = None
    max_lost: Annotated[int, Field(ge=1, le=1000), WHOLE] | None = None
    priority: Annotated[int, Field(ge=-100, le=100), WHOLE] | None = None
    sandbox: SandboxBody | None = None

    def settings(self) -> PolicySettings:
        """Return them as the model has them."""
        return PolicySettings(
            max_runtime=self.max_runtime,
            grace=self.grace,
            max_concurrent=self.max_concurrent,
            on_overlap=self.on_overlap,
            misfire=self.misfire,
            retries=self.retries.settings() if self.retries else None,
            max_lost=self.max_lost,
            priority=self.priority,
            sandbox=self.sandbox.settings() if self.sandbox else None,
        )
