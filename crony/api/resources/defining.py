"""From a body to a definition, with all that the service knows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from crony.api.bodies.schedule import definition_of
from crony.api.node import Node
from crony.errors import Fault
from crony.model.schedule import Definition
from crony.model.task import Json
from crony.scheduler.policies import Look
from crony.scheduler.triggering import same_occurrences


class Defining:
    """Reads the bodies of schedules."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def definition(
        self,
        tenant: str,
        body: Mapping[str, Json],
        *,
        present: Definition | None = None,
        id: str | None = None,
        look: Look | None = None,
        beside: Sequence[Fault] = (),
    ) -> Definition:
        """Return what a body defines, or raise all its faults at once.

        ``present`` is what it is to replace, ``id`` that of an earlier try. ``look``
        is the request's, where it has had one. ``beside`` are faults that were found
        before.
        """
        seen = look or self._node.service.schedules.look()

        def check(definition: Definition) -> list[Fault]:
            # What is there may stay, also when it is over: GET, edit, PUT works.
            if present is not None and same_occurrences(present, definition):
                return []
            return self._node.service.schedules.check_new(
                definition, tenant=tenant, id=id, look=seen
            )

        return definition_of(
            body,
            tenant=tenant,
            now=self._node.now(),
            check=check,
            exists=partial(_there, seen, tenant),
            beside=beside,
        )

    def exists(self, tenant: str, noun: str, name: str) -> bool:
        """Return whether the tenant has a group or a profile of that name."""
        service = self._node.service
        if noun == "group":
            return service.groups.exists(tenant, name)
        return service.profiles.exists(tenant, name)


def _there(look: Look, tenant: str, noun: str, name: str) -> bool:
    return (look.has_group if noun == "group" else look.has_profile)(tenant, name)
