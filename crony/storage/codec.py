"""How values are kept, the same in every driver.

Instants are integer milliseconds, cut; durations integer microseconds; what is
neither is JSON.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Literal, TypeVar, cast

from crony import clock
from crony.clock import cut
from crony.model import policy as policies
from crony.model.group import DEFAULT_GROUP
from crony.model.hook import Hook, HookKind
from crony.model.ids import milliseconds as instant_out
from crony.model.policy import Policy, PolicySettings, RetentionSettings
from crony.model.schedule import Definition
from crony.model.task import Json, JsonObject
from crony.model.trigger import At, Cadence, Cron, DstRule, Every, Trigger
from crony.remembering import remembering

__all__ = [
    "cut",
    "definition_in",
    "definition_out",
    "dumps",
    "duration_in",
    "duration_out",
    "instant_in",
    "instant_out",
    "kept",
    "loads",
    "maybe_duration_in",
    "maybe_duration_out",
    "maybe_instant_in",
    "maybe_instant_out",
    "object_in",
    "policy_in",
    "policy_out",
    "retention_in",
    "retention_out",
    "settings_in",
    "settings_out",
    "trigger_kind",
]

_MICROSECOND = timedelta(microseconds=1)
_Value = TypeVar("_Value")


def instant_in(kept: int) -> datetime:
    """Return the instant of whole milliseconds since 1970."""
    return clock.EPOCH + timedelta(milliseconds=kept)


def duration_out(duration: timedelta) -> int:
    """Return whole microseconds."""
    return duration // _MICROSECOND


def duration_in(kept: int) -> timedelta:
    """Return the duration of whole microseconds."""
    return timedelta(microseconds=kept)


def maybe_instant_out(instant: datetime | None) -> int | None:
    """Return ``instant_out`` of what may be absent."""
    return None if instant is None else instant_out(instant)


def maybe_instant_in(kept: int | None) -> datetime | None:
    """Return ``instant_in`` of what may be absent."""
    return None if kept is None else instant_in(kept)


def maybe_duration_out(duration: timedelta | None) -> int | None:
    """Return ``duration_out`` of what may be absent."""
    return None if duration is None else duration_out(duration)


def maybe_duration_in(kept: int | None) -> timedelta | None:
    """Return ``duration_in`` of what may be absent."""
    return None if kept is None else duration_in(kept)


def dumps(value: Json) -> str:
    """Return the one JSON text of a value: equal values, equal texts."""
    return _encode(value)


def _plain(value: object) -> object:
    """Return a mapping or sequence of another class as JSON knows it."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(cast("list[object]", value))


#: PERF: ``json.dumps`` makes an encoder for each text.
_encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=_plain
).encode


def loads(text: str) -> Json:
    """Return the value of a JSON text."""
    return cast("Json", json.loads(text))


def object_in(text: str | None) -> JsonObject | None:
    """Return the object of a JSON text that may be absent."""
    return None if text is None else cast("JsonObject", json.loads(text))


def kept(value: _Value) -> _Value:
    """Return a copy that shares nothing changeable, as precise as the store is.

    A driver that keeps objects puts it between itself and its callers, on the
    way in and on the way out.
    """
    return cast("_Value", _copied(value))


#: The commonest of what can't change.
_PLAIN = frozenset({type(None), str, int, float, bool, bytes, timedelta})


#: The members of each class that was met; of what is no dataclass there are none.
_NAMES: dict[type, tuple[str, ...]] = {}


def _names(kind: type) -> tuple[str, ...]:
    found = _NAMES.get(kind)
    if found is None:
        found = tuple(f.name for f in fields(kind)) if is_dataclass(kind) else ()
        _NAMES[kind] = found
    return found


def _copied(value: object) -> object:
    # PERF: every value in and out comes through here; what has not changed is not
    # made anew.
    if type(value) in _PLAIN or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return cut(value) if value.microsecond % 1000 else value
    if isinstance(value, tuple):
        if not value:
            return value
        items = tuple([_copied(item) for item in value])
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    changed = {}
    for name in _names(type(value)):
        old = getattr(value, name)
        if type(old) in _PLAIN:
            continue
        new = _copied(old)
        if new is not old:
            changed[name] = new
    return replace(value, **changed) if changed else value  # type: ignore[type-var]  # it has members


def trigger_kind(trigger: Trigger) -> str:
    """Return ``cron``, ``every`` or ``at``."""
    return type(trigger).__name__.lower()


def _trigger_out(trigger: Trigger) -> Json:
    match trigger:
        case Cron():
            rule = trigger.dst
            dst: Json = (
                rule if isinstance(rule, str) else {"gap": rule.gap, "fold": rule.fold}
            )
            return {"cron": trigger.expression, "zone": trigger.timezone, "dst": dst}
        case Every():
            interval = trigger.interval
            every: Json = (
                interval if isinstance(interval, str) else duration_out(interval)
            )
            return {"every": every, "zone": trigger.timezone}
        case At():
            return {"at": instant_out(trigger.instant), "zone": trigger.timezone}


def _trigger_in(kept: dict[str, object]) -> Trigger:
    zone = cast("str", kept["zone"])
    if "cron" in kept:
        dst = kept["dst"]
        rule = DstRule(**dst) if isinstance(dst, dict) else cast("Literal['cron']", dst)
        return Cron(cast("str", kept["cron"]), zone, rule)
    if "every" in kept:
        every = kept["every"]
        if isinstance(every, int):
            return Every(duration_in(every), zone)
        return Every(cast("Cadence", every), zone)
    return At(instant_in(cast("int", kept["at"])), zone)


@cache
def _readers(kind: type) -> Mapping[str, Callable[[object], object]]:
    """Return how to read each member of a settings class."""
    return {
        name: _reader(annotation)
        for name, annotation in typing.get_type_hints(kind).items()
    }


def _reader(annotation: object) -> Callable[[object], object]:
    if isinstance(annotation, types.UnionType):
        (annotation,) = (a for a in annotation.__args__ if a is not types.NoneType)
    if annotation is timedelta:
        return lambda kept: duration_in(cast("int", kept))
    if typing.get_origin(annotation) is tuple:
        return lambda kept: tuple(cast("list[object]", kept))
    if is_dataclass(annotation):
        part = cast("type[PolicySettings]", annotation)
        return lambda kept: _settings_in(part, cast("dict[str, object]", kept))
    return lambda kept: kept


_Settings = TypeVar("_Settings")


def _settings_in(kind: type[_Settings], kept: Mapping[str, object]) -> _Settings:
    readers = _readers(cast("type", kind))
    return kind(**{name: readers[name](value) for name, value in kept.items()})


def _settings_out(settings: object) -> Json:
    """Return the members that are set, by name."""
    members: dict[str, Json] = {}
    for f in fields(cast("PolicySettings", settings)):
        value = getattr(settings, f.name)
        if value is None:
            continue
        if isinstance(value, timedelta):
            value = duration_out(value)
        elif isinstance(value, tuple):
            value = list(value)
        elif is_dataclass(value):
            value = _settings_out(value)
        members[f.name] = value
    return members


#: PERF: very many runs have one of few policies.
@lru_cache(maxsize=1024)
def policy_out(policy: Policy) -> str:
    """Return a policy as JSON text, with all of its members."""
    return dumps(_settings_out(policy))


@lru_cache(maxsize=1024)
def policy_in(text: str) -> Policy:
    """Return the policy of ``policy_out``'s text, or of that of settings."""
    return _settings_in(Policy, json.loads(text))


def settings_out(settings: PolicySettings) -> str:
    """Return the settings of one level as JSON text."""
    return dumps(_settings_out(settings))


def settings_in(text: str) -> PolicySettings:
    """Return the settings of ``settings_out``'s text."""
    return _settings_in(PolicySettings, json.loads(text))


def retention_out(settings: RetentionSettings) -> str:
    """Return what a tenant says of retention as JSON text."""
    return dumps(_settings_out(settings))


def retention_in(text: str) -> RetentionSettings:
    """Return the settings of ``retention_out``'s text."""
    return _settings_in(RetentionSettings, json.loads(text))


#: PERF: very many schedules set the same few fields, or none.
_policy_settings_out = remembering(_settings_out, length=policies.length)


def definition_out(definition: Definition) -> str:
    """Return the definition as JSON text."""
    return dumps(
        {
            "name": definition.name,
            "description": definition.description,
            "labels": dict(definition.labels),
            "trigger": _trigger_out(definition.trigger),
            "start_at": maybe_instant_out(definition.start_at),
            "end_at": maybe_instant_out(definition.end_at),
            "max_runs": definition.max_runs,
            "jitter": duration_out(definition.jitter),
            "task": dict(definition.task),
            "queue": definition.queue,
            "requires": dict(definition.requires),
            "policy": _policy_settings_out(definition.policy),
            "paused": definition.paused,
            "group": definition.group,
            "profile": definition.profile,
            "hooks": {
                kind.value: {
                    "task": dict(hook.task),
                    "interval": maybe_duration_out(hook.interval),
                }
                for kind, hook in definition.hooks.items()
            },
        }
    )


def definition_in(text: str) -> Definition:
    """Return the definition of ``definition_out``'s text."""
    kept = json.loads(text)
    return Definition(
        name=kept["name"],
        description=kept["description"],
        labels=kept["labels"],
        trigger=_trigger_in(kept["trigger"]),
        start_at=maybe_instant_in(kept["start_at"]),
        end_at=maybe_instant_in(kept["end_at"]),
        max_runs=kept["max_runs"],
        jitter=duration_in(kept["jitter"]),
        task=kept["task"],
        queue=kept["queue"],
        requires=kept["requires"],
        policy=_settings_in(PolicySettings, kept["policy"]),
        paused=kept["paused"],
        # Older releases had none of these.
        group=kept.get("group", DEFAULT_GROUP),
        profile=kept.get("profile"),
        hooks={
            HookKind(kind): Hook(
                task=hook["task"], interval=maybe_duration_in(hook["interval"])
            )
            for kind, hook in kept.get("hooks", {}).items()
        },
    )
