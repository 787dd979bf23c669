"""What workers send: who they are, what they hold, and what became of it."""

from __future__ import annotations

import binascii
from base64 import b64decode
from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PlainValidator, WithJsonSchema

from crony.api.bodies.fields import (
    WHOLE,
    Body,
    Difference,
    Duration,
    DurationOrNone,
    JsonValue,
    Label,
    Labels,
    Name,
    Shape,
    Wait,
)
from crony.api.vocabulary import REASONS
from crony.model.lease import Holding
from crony.model.run import LogChunk
from crony.model.state import Reason

Level: TypeAlias = Literal["full", "namespaces", "landlock", "none"]

#: Leases and reports in a batch.
MOST_IN_BATCH = 1000
#: A worker also holds what it could not report yet.
MOST_HELD = 10_000
#: Kept of an error's text, and of a result.
MOST_ERROR = 4 << 10
MOST_RESULT = 64 << 10
#: Of what applied to an attempt, and of what it used.
MOST_FACTS = 64 << 10

Count: TypeAlias = Annotated[int, Field(ge=0, le=2**53), WHOLE]
#: A place in a stream: no attempt prints as much.
Place: TypeAlias = Annotated[int, Field(ge=0, le=2**50), WHOLE]
Token: TypeAlias = Annotated[int, Field(ge=1, le=2**53), WHOLE]


class WorkerBody(Body):
    """A worker that registers."""

    name: Name
    machine: Annotated[
        str, Shape("[0-9a-f]{8,128}", "8 to 128 hexadecimal digits", "3fa9c2d1")
    ]
    queues: Annotated[list[Name], Field(min_length=1, max_length=100)] = ["default"]
    labels: Labels = {}
    slots: Annotated[int, Field(ge=1, le=1000), WHOLE]
    sandbox_level: Level
    version: Annotated[str, Field(max_length=64)] = ""


class HoldingBody(Body):
    """A lease that the worker holds."""

    run: Label
    token: Token

    def value(self) -> Holding:
        """Return it as the model has it."""
        return Holding(self.run, self.token)


class RenewalBody(Body):
    """Leases to renew."""

    session: Label
    #: As in a poll; the session alone decides whether a renewal counts.
    seq: Count | None = None
    holding: Annotated[list[HoldingBody], Field(max_length=MOST_HELD)] = []


class LeaseBody(Body):
    """A request for runs."""

    session: Label
    seq: Count
    slots: Annotated[int, Field(ge=0, le=MOST_IN_BATCH), WHOLE]
    wait: Wait | None = None
    holding: Annotated[list[HoldingBody], Field(max_length=MOST_HELD)] = []


def _base64(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("must be a string of base64")
    try:
        return b64decode(value, validate=True)
    except binascii.Error as exc:
        raise ValueError("is not base64") from exc


class ChunkBody(Body):
    """A piece of an attempt's output."""

    stream: Literal["stdout", "stderr"]
    offset: Place
    data: Annotated[
        bytes,
        PlainValidator(_base64),
        WithJsonSchema(
            {"type": "string", "contentEncoding": "base64", "examples": ["aGk="]}
        ),
    ]
    dropped: Place = 0

    def value(self) -> LogChunk:
        """Return it as the model has it."""
        return LogChunk(
            stream=self.stream,
            offset=self.offset,
            data=self.data,
            dropped=self.dropped,
        )


class ProgressBody(Body):
    """How far a task says it is."""

    percent: Annotated[float, Field(ge=0, le=100)] | None = None
    message: Annotated[str, Field(max_length=4096)] = ""


class ReportBody(Body):
    """A report about one run: a confirm, news of it, or its end.

    ``state`` ``running`` confirms; no ``state`` at all is news; any other state ends
    the attempt.
    """

    token: Token
    state: (
        Literal["running", "succeeded", "failed", "timed_out", "cancelled", "preempted"]
        | None
    ) = None
    #: When the worker would start: for a confirm, as the worker counts it.
    start_in: Difference | None = None
    progress: ProgressBody | None = None
    log: Annotated[list[ChunkBody], Field(max_length=MOST_IN_BATCH)] = []
    reason: (
        Annotated[
            Reason,
            PlainValidator(lambda value: _reason(value)),
            WithJsonSchema({"type": "string", "enum": [r.value for r in REASONS]}),
        ]
        | None
    ) = None
    exit_code: Annotated[int, Field(ge=0, le=255), WHOLE] | None = None
    signal: Annotated[str, Field(max_length=32, examples=["SIGKILL"])] | None = None
    error: str | None = None
    result: JsonValue = None
    lateness: Difference | None = None
    duration: Duration | None = None
    finished: DurationOrNone = timedelta(0)
    sandbox_level: Level | None = None
    limits: dict[str, JsonValue] | None = None
    usage: dict[str, JsonValue] | None = None


def _reason(value: object) -> Reason:
    for reason in REASONS:
        if reason == value:
            return reason
    known = ", ".join(f'"{reason.value}"' for reason in REASONS)
    raise ValueError(f"must be one of {known}")


class BatchItem(ReportBody):
    """A report of a batch, which names its run."""

    run: Label


class ReportsBody(Body):
    """Reports about any number of runs; each is judged by itself."""

    reports: Annotated[
        list[JsonValue],
        Field(min_length=1, max_length=MOST_IN_BATCH),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"$ref": "#/components/schemas/BatchItem"},
                "minItems": 1,
                "maxItems": MOST_IN_BATCH,
            }
        ),
    ]
