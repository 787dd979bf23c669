"""When a schedule is due: exactly one of ``cron``, ``every`` and ``at``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict

from crony import clock, errors, wire
from crony.api.bodies.faults import checked
from crony.api.bodies.fields import (
    DURATION_PATTERN,
    WHOLE,
    Body,
    DurationOrNone,
    Instant,
    Name,
    instant_of,
)
from crony.errors import Fault
from crony.model.task import Json
from crony.model.trigger import At, Cadence, Cron, DstRule, Every, Trigger
from crony.triggers import compile_trigger

KINDS = ("cron", "every", "at")
CADENCES = ("minute", "hour", "day", "week", "month")

#: Characters of an expression.
_LONGEST = 1024


def _every(value: object) -> timedelta | Cadence:
    if not isinstance(value, str):
        raise ValueError('must be a duration such as "15m", or a word such as "day"')
    if value in CADENCES:
        return cast(Cadence, value)
    interval = wire.parse_duration(value)
    if interval < timedelta(seconds=1):
        raise ValueError(f'"{value}" is shorter than 1s, the least interval')
    if interval % timedelta(milliseconds=1):
        raise ValueError(f'"{value}" is finer than a millisecond')
    return interval


def _at(value: object) -> datetime | Literal["now"]:
    if value == "now":
        return "now"
    if not isinstance(value, str):
        raise ValueError('must be an RFC 3339 instant, or "now"')
    return instant_of(value)


Interval: TypeAlias = Annotated[
    timedelta | Cadence,
    PlainValidator(_every),
    WithJsonSchema(
        {
            "type": "string",
            "format": "crony-every",
            "maxLength": 200,
            "anyOf": [{"pattern": DURATION_PATTERN}, {"enum": list(CADENCES)}],
            "examples": ["15m", "day"],
        }
    ),
]
Moment: TypeAlias = Annotated[
    datetime | Literal["now"],
    PlainValidator(_at),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 64,
            "anyOf": [{"format": "date-time"}, {"const": "now"}],
            "examples": ["2027-01-01T00:00:00Z", "now"],
        }
    ),
]


class DstBody(Body):
    """What becomes of wall-clock readings that the zone skips or repeats."""

    gap: Literal["shift", "skip"]
    fold: Literal["first", "second", "both"]


def _one_kind(schema: JsonDict) -> None:
    """State the rule that no single field can state."""
    schema["oneOf"] = [
        {"required": [kind], "properties": {kind: {"not": {"type": "null"}}}}
        for kind in KINDS
    ]


class TriggerBody(Body):
    """The members that say when, of a schedule and of a preview."""

    model_config = ConfigDict(json_schema_extra=_one_kind)

    name: Name | None = None
    cron: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=_LONGEST,
                examples=["30 2 * * 1-5"],
                json_schema_extra={"format": "crony-cron"},
            ),
        ]
        | None
    ) = None
    every: Interval | None = None
    at: Moment | None = None
    timezone: Annotated[
        str,
        Field(
            min_length=1,
            max_length=128,
            examples=["Europe/Berlin"],
            json_schema_extra={"format": "crony-timezone"},
        ),
    ] = "UTC"
    dst: Literal["cron"] | DstBody = "cron"
    start_at: Instant | None = None
    end_at: Instant | None = None
    max_runs: Annotated[int, Field(ge=1, le=2**53), WHOLE] | None = None
    jitter: DurationOrNone = timedelta(0)

    def trigger(self, *, now: datetime) -> Trigger:
        """Return the trigger; ``now`` is what ``"at": "now"`` becomes."""
        if self.cron is not None:
            rule: Literal["cron"] | DstRule = (
                DstRule(gap=self.dst.gap, fold=self.dst.fold)
                if isinstance(self.dst, DstBody)
                else "cron"
            )
            return Cron(self.cron, self.timezone, rule)
        if self.every is not None:
            return Every(self.every, self.timezone)
        if self.at is None:
            raise TypeError("the body was not checked")
        instant = now if self.at == "now" else self.at
        return At(instant, self.timezone)


def faults_of_trigger(
    body: Mapping[str, Json],
    *,
    tenant: str,
    now: datetime,
    whole: TriggerBody | None = None,
) -> tuple[TriggerBody | None, list[Fault]]:
    """Return the members that say when, or all their faults.

    The rest of the body does not matter, so that these faults are found beside all
    others. ``whole`` is the body where nothing is wrong with any member by itself.
    """
    part = {name: body[name] for name in TriggerBody.model_fields if name in body}
    when, faults = checked(TriggerBody, part) if whole is None else (whole, [])
    given = [kind for kind in KINDS if body.get(kind) is not None]
    if len(given) != 1:
        faults.append(Fault("", _one_of(given)))
    if when is None or len(given) != 1:
        # No trigger can be made of it; each member still has faults of its own.
        faults += _of_cron(part.get("cron")) + _of_timezone(part.get("timezone"))
    else:
        faults += _of_compiling(when, tenant=tenant, now=now)
        if when.dst != "cron" and when.cron is None:
            faults.append(Fault("/dst", "acts on cron expressions only"))
    return (when if not faults else None), faults


def _one_of(given: list[str]) -> str:
    found = " and ".join(f'"{kind}"' for kind in given) or "none"
    return f'must have exactly one of "cron", "every" and "at"; it has {found}'


def _of_compiling(when: TriggerBody, *, tenant: str, now: datetime) -> list[Fault]:
    # Any identity will do: it chooses among instants and makes none invalid.
    identity = f"{tenant}/{when.name or ''}"
    try:
        compile_trigger(
            when.trigger(now=now), identity=identity, anchor=when.start_at or now
        )
    except errors.InvalidTrigger as exc:
        found = [Fault(f"/{exc.field}", exc.detail)]
        # One fault hides another: the zone's own is looked for apart.
        return found + (_of_timezone(when.timezone) if exc.field != "timezone" else [])
    return []


def _of_cron(expression: Json) -> list[Fault]:
    """Return the fault of an expression by itself, if it is text at all."""
    return _of_text(expression, Cron)


def _of_timezone(name: Json) -> list[Fault]:
    """Return the fault of a zone by itself, if it is text at all."""
    return _of_text(name, lambda text: Cron("0 0 * * *", text))


def _of_text(value: Json, trigger: Callable[[str], Trigger]) -> list[Fault]:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        return []
    try:
        compile_trigger(trigger(value), identity="", anchor=clock.EPOCH)
    except errors.InvalidTrigger as exc:
        return [Fault(f"/{exc.field}", exc.detail)]
    return []
