"""References: the group and the profile that a definition names."""

from __future__ import annotations

from crony import errors
from crony.errors import Fault
from crony.model.schedule import Definition
from crony.scheduler.policies import Look

_WHAT_TO_DO = {
    "group": 'make it first, or use "default"',
    "profile": "make it first, or leave it out",
}


def missing(look: Look, tenant: str, definition: Definition) -> list[Fault]:
    """Return a fault for each thing that a definition names and that is not there."""
    faults = []
    if not look.has_group(tenant, definition.group):
        faults.append(fault("group", definition.group))
    profile = definition.profile
    if profile is not None and not look.has_profile(tenant, profile):
        faults.append(fault("profile", profile))
    return faults


def refused(exc: errors.NotFound) -> errors.CronyError:
    """Return what to raise for a write that met one that is not there."""
    if exc.noun not in _WHAT_TO_DO:
        return exc
    return errors.InvalidBody([fault(exc.noun, exc.reference)])


def fault(noun: str, name: str) -> Fault:
    """Return what is wrong with a name that nothing has."""
    return Fault(f"/{noun}", f'there is no {noun} "{name}": {_WHAT_TO_DO[noun]}')
