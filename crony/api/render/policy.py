"""Policy: what a schedule sets, and what holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import timedelta

from crony import wire
from crony.api.render.values import Object, duration
from crony.model.policy import (
    Policy,
    PolicySettings,
    Retention,
    RetentionSettings,
    Retries,
    RetriesSettings,
    Sandbox,
    SandboxSettings,
    length,
)
from crony.model.task import Json
from crony.remembering import remembering

_SIZES = ("memory", "disk", "log")


def written(policy: PolicySettings) -> Object:
    """Return the members that one level sets; ``null`` where it inherits."""
    return {
        "max_runtime": duration(policy.max_runtime),
        "grace": duration(policy.grace),
        "max_concurrent": policy.max_concurrent,
        "on_overlap": policy.on_overlap,
        "misfire": policy.misfire,
        "misfire_window": duration(policy.misfire_window),
        "retries": None if policy.retries is None else _set(policy.retries),
        "max_lost": policy.max_lost,
        "priority": policy.priority,
        "deadline": duration(policy.deadline),
        "preemptible": policy.preemptible,
        "delivery": policy.delivery,
        "sandbox": None if policy.sandbox is None else _set(policy.sandbox),
        "retention": None if policy.retention is None else _set(policy.retention),
    }


def resolved(policy: Policy, sources: Mapping[str, str]) -> Object:
    """Return what holds, each field with the level it came from."""
    values = _values(policy)
    return {name: {"value": values[name], "from": sources[name]} for name in values}


def _members(policy: Policy) -> Mapping[str, Json]:
    return {f.name: _value(f.name, getattr(policy, f.name)) for f in fields(policy)}


#: PERF: very many schedules have one of few policies.
_values = remembering(_members, length=length)


def sandbox(value: Sandbox) -> Object:
    """Return what a worker must apply."""
    return {f.name: _value(f.name, getattr(value, f.name)) for f in fields(value)}


def retention(settings: RetentionSettings) -> Object:
    """Return what a tenant says of retention; ``null`` where it says nothing."""
    return {f.name: _value(f.name, getattr(settings, f.name)) for f in fields(settings)}


def _set(settings: RetriesSettings | SandboxSettings | RetentionSettings) -> Object:
    """Return the members that are set, and no others: as they were written."""
    given = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return {name: _value(name, v) for name, v in given.items() if v is not None}


def _value(name: str, value: object) -> Json:
    match value:
        case timedelta():
            return wire.format_duration(value)
        case Retries() | Sandbox() | Retention():
            members = {f.name: getattr(value, f.name) for f in fields(value)}
            return {part: _value(part, item) for part, item in members.items()}
        case bool() | str() | float() | None:
            return value
        case int():
            return wire.format_size(value) if name in _SIZES else value
        case Sequence():
            return [_value(name, item) for item in value]
    raise TypeError(f"{name} has a value that no policy has")
