"""Many schedules at once: created, or replaced by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial

from crony import errors
from crony.api import problems
from crony.api.answers import Made, Response, send_made
from crony.api.bodies import reading
from crony.api.bodies.faults import checked
from crony.api.bodies.fields import is_name
from crony.api.bodies.schedule import LIVE, BatchBody, Exists
from crony.api.node import Node
from crony.api.once import once
from crony.api.render import schedule as render
from crony.api.request import Request
from crony.api.resources.defining import Defining
from crony.api.resources.named import without
from crony.errors import Fault
from crony.model import ids
from crony.model.schedule import Schedule
from crony.model.task import Json

#: How many faults of one item are named: a batch has room for a million.
_MOST_FAULTS = 100

#: What became of an item: the schedule with its status, or why there is none.
_Result = tuple[int, Schedule] | errors.CronyError


class Batch:
    """``POST /schedules:batch``."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._schedules = node.service.schedules
        self._defining = Defining(node)

    async def batch_schedules(self, req: Request, resp: Response) -> None:
        """``POST /schedules:batch``; an item with faults spoils no other."""
        value, spoilt = await req.json_with_faults()
        made = await self._node.pool.run(
            once,
            req,
            self._node.service.idempotency,
            value,
            propose=self._schedules.new_id,
            make=partial(self._make, req, value, spoilt),
        )
        send_made(resp, made)

    def _make(
        self, req: Request, value: Json, spoilt: Sequence[Fault], identity: str | None
    ) -> Made:
        body, faults = checked(BatchBody, reading.an_object(value))
        if body is None:
            raise errors.InvalidBody(faults)
        tenant = req.caller.tenant
        # Most of a batch name the same few.
        exists = cache(partial(self._defining.exists, tenant))
        results: list[_Result] = []
        for position, item in enumerate(body.schedules):
            id = None if identity is None else ids.numbered(identity, position)
            at = f"/schedules/{position}"
            try:
                sound = _object(item, at, spoilt)
                results.append(self._put(tenant, sound, id, exists))
            except errors.InvalidBody as exc:
                results.append(_within(exc, at))
            except errors.Unavailable:
                # What was done is found done by a repeat.
                raise
            except errors.CronyError as exc:
                results.append(exc)
        return Made(status=200, body={"results": self._rendered(results, req.number)})

    def _put(
        self,
        tenant: str,
        body: Mapping[str, Json],
        id: str | None,
        exists: Exists,
    ) -> tuple[int, Schedule]:
        """Create a schedule, or replace the one of that name."""
        name = body.get("name")
        known = self._known(tenant, name) if isinstance(name, str) else None
        definition = self._defining.definition(
            tenant,
            body,
            present=None if known is None else known.definition,
            id=id,
            exists=exists,
        )
        if known is None:
            try:
                schedule, new = self._schedules.create(tenant, definition, id=id)
            except errors.NameTaken:
                # Somebody made it just now.
                pass
            else:
                return (201 if new else 200), schedule
        schedule, new = self._schedules.replace(
            tenant, str(definition.name), definition, if_match=None
        )
        # What an interrupted try of this request has made counts as made by it.
        return (201 if new or schedule.id == id else 200), schedule

    def _known(self, tenant: str, name: str) -> Schedule | None:
        if not is_name(name):
            return None
        try:
            return self._schedules.find(tenant, name)
        except errors.NotFound:
            return None

    def _rendered(self, results: Sequence[_Result], instance: str) -> list[Json]:
        made = [result[1] for result in results if isinstance(result, tuple)]
        views = iter(self._schedules.views(made))
        said: list[Json] = []
        for result in results:
            if isinstance(result, tuple):
                said.append(
                    {"status": result[0], "schedule": render.whole(next(views))}
                )
            else:
                problem = problems.of(result)
                body = problem.body(instance=instance)
                said.append({"status": problem.kind.status, "problem": body})
        return said


def _object(item: object, at: str, spoilt: Sequence[Fault]) -> dict[str, Json]:
    """Return an item without what a read adds to it; raises for what is no item."""
    own = [f for f in spoilt if f.pointer == at or f.pointer.startswith(at + "/")]
    if own:
        raise errors.InvalidBody(
            [Fault(fault.pointer.removeprefix(at), fault.detail) for fault in own]
        )
    if not isinstance(item, Mapping):
        raise errors.InvalidBody([Fault("", "must be an object")])
    return without(LIVE, item)


def _within(exc: errors.InvalidBody, at: str) -> errors.InvalidBody:
    """Return the faults of an item with the places they have in the whole body."""
    return errors.InvalidBody(
        [Fault(at + fault.pointer, fault.detail) for fault in exc.faults[:_MOST_FAULTS]]
    )
