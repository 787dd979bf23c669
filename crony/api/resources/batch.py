"""Many schedules at once: created, or replaced by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from crony import errors
from crony.api import problems
from crony.api.answers import Made, Response, send_made
from crony.api.bodies import reading
from crony.api.bodies.faults import checked
from crony.api.bodies.fields import is_name
from crony.api.bodies.schedule import LIVE, BatchBody
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
from crony.scheduler.batches import MOST, Outcome, Wanted

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
        doing = _Doing(self._node, req.caller.tenant, identity, body.schedules)
        for position in range(len(body.schedules)):
            doing.take(position, spoilt)
        results = doing.finished()
        return Made(status=200, body={"results": self._rendered(results, req.number)})

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


class _Doing:
    """A batch under way: what is new waits until there are enough to store at once."""

    def __init__(
        self, node: Node, tenant: str, identity: str | None, items: Sequence[object]
    ) -> None:
        self._schedules = node.service.schedules
        self._batches = node.service.batches
        self._defining = Defining(node)
        self._tenant = tenant
        self._identity = identity
        # Most of a batch name the same few groups and profiles.
        self._look = self._schedules.look()
        self._results: dict[int, _Result] = {}
        self._waiting: dict[int, Wanted] = {}
        self._names: set[str] = set()
        self._items = items
        # Who has which name, of the next items, as far as no item has asked for it.
        self._present: dict[str, Schedule] = {}
        self._asked: set[str] = set()

    def take(self, position: int, spoilt: Sequence[Fault]) -> None:
        """Create the schedule of an item, now or later, or replace one by its name.

        Items are taken in their order.
        """
        if position % MOST == 0:
            names = _names_in(self._items[position : position + MOST]) - self._asked
            found = self._schedules.named(self._tenant, names) if names else {}
            self._present = dict(found)
        item, at = self._items[position], _place(position)
        try:
            self._put(position, _object(item, at, spoilt))
        except errors.Unavailable:
            # What was done is found done by a repeat.
            raise
        except errors.CronyError as exc:
            self._results[position] = _within(exc, at)

    def finished(self) -> list[_Result]:
        """Return what became of each item, in order."""
        self._store()
        return [self._results[position] for position in sorted(self._results)]

    def _put(self, position: int, body: Mapping[str, Json]) -> None:
        given = body.get("name")
        name = given if isinstance(given, str) else ""
        if name in self._names:
            # It replaces one that waits.
            self._store()
        known = self._known(name)
        id = None if self._identity is None else ids.numbered(self._identity, position)
        definition = self._defining.definition(
            self._tenant,
            body,
            present=None if known is None else known.definition,
            id=id,
            look=self._look,
        )
        wanted = Wanted(definition, id)
        if known is not None:
            self._results[position] = self._replaced(wanted)
            return
        self._waiting[position] = wanted
        if definition.name is not None:
            self._names.add(definition.name)
        if len(self._waiting) >= MOST:
            self._store()

    def _known(self, name: str) -> Schedule | None:
        if not is_name(name):
            return None
        if name not in self._asked:
            self._asked.add(name)
            return self._present.pop(name, None)
        try:
            return self._schedules.find(self._tenant, name)
        except errors.NotFound:
            return None

    def _store(self) -> None:
        """Create all that waits; what stops that is the answer to each."""
        waiting = dict(self._waiting)
        self._waiting.clear()
        self._names.clear()
        if not waiting:
            return
        for (position, wanted), outcome in zip(
            waiting.items(), self._outcomes(list(waiting.values())), strict=True
        ):
            result = self._result(wanted, outcome)
            if isinstance(result, errors.CronyError):
                result = _within(result, _place(position))
            self._results[position] = result

    def _outcomes(self, waiting: Sequence[Wanted]) -> Sequence[Outcome]:
        try:
            return self._batches.create(self._tenant, waiting)
        except errors.Unavailable:
            raise
        except errors.CronyError as exc:
            return [exc] * len(waiting)

    def _result(self, wanted: Wanted, outcome: Outcome) -> _Result:
        if isinstance(outcome, errors.NameTaken):
            # Somebody made it just now.
            try:
                return self._replaced(wanted)
            except errors.Unavailable:
                raise
            except errors.CronyError as exc:
                return exc
        if isinstance(outcome, errors.CronyError):
            return outcome
        schedule, new = outcome
        return (201 if new else 200), schedule

    def _replaced(self, wanted: Wanted) -> tuple[int, Schedule]:
        schedule, new = self._schedules.replace(
            self._tenant,
            str(wanted.definition.name),
            wanted.definition,
            if_match=None,
        )
        # What an interrupted try of this request has made counts as made by it.
        return (201 if new or schedule.id == wanted.id else 200), schedule


def _names_in(items: Sequence[object]) -> set[str]:
    """Return the names that items would have."""
    given = (item.get("name") for item in items if isinstance(item, Mapping))
    return {name for name in given if isinstance(name, str) and is_name(name)}


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


def _place(position: int) -> str:
    return f"/schedules/{position}"


def _within(exc: errors.CronyError, at: str) -> errors.CronyError:
    """Return the faults of an item with the places they have in the whole body."""
    if not isinstance(exc, errors.InvalidBody):
        return exc
    return errors.InvalidBody(
        [Fault(at + fault.pointer, fault.detail) for fault in exc.faults[:_MOST_FAULTS]]
    )
