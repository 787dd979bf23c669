"""What is put and read under a name of its own, with a revision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from crony import errors
from crony.api import params
from crony.api.answers import Made, Response, etag, location, send_made, send_page
from crony.api.bodies.fields import is_name
from crony.api.node import Node
from crony.api.render.values import Object
from crony.api.request import Request
from crony.errors import Fault
from crony.model.task import Json
from crony.scheduler.named import Revised
from crony.storage.contract import Page, Position

Thing = TypeVar("Thing", bound=Revised)


def made(
    req: Request, noun: str, thing: Revised, body: Mapping[str, Json], *, status: int
) -> Made:
    """Return a thing as an answer; 304 where a GET need not repeat it."""
    headers = {"ETag": etag(thing.revision)}
    if req.method in ("GET", "HEAD") and params.unchanged(req, thing.revision):
        return Made(status=304, headers=headers)
    if status == 201:
        headers["Location"] = location(noun, thing.name)
    return Made(status=status, body=body, headers=headers)


def without(live: Collection[str], body: Mapping[str, Json]) -> dict[str, Json]:
    """Return the body without what a read adds to it."""
    return {name: value for name, value in body.items() if name not in live}


def check_name(name: str) -> list[Fault]:
    """Return the fault of a path that makes no name."""
    if is_name(name):
        return []
    detail = (
        f'"{name[:80]}" is not a name: small letters, digits, ".", "_", "-", the '
        "first of them a letter or digit, at most 128"
    )
    return [Fault("", detail)]


def revision_of(find: Callable[[str], Revised], name: str) -> int:
    """Return the present revision; ``If-Match: *`` insists that there is one."""
    try:
        return find(name).revision
    except errors.NotFound:
        return -1


class UseCase(Protocol[Thing]):
    """What can be done with things of one kind, whichever it is."""

    def find(self, tenant: str, name: str) -> Thing:
        """Return one; raises ``NotFound``."""

    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Thing]:
        """Return them by name."""

    def delete(self, tenant: str, name: str, *, if_match: int | None) -> None:
        """Remove one."""


class Named(ABC, Generic[Thing]):
    """Things of one kind: listed, read and deleted alike."""

    #: Of the path.
    noun: str

    def __init__(self, node: Node, things: UseCase[Thing]) -> None:
        self._node = node
        self._things = things

    @abstractmethod
    def rendered(self, tenant: str, things: Sequence[Thing]) -> list[Object]:
        """Return them as they are read."""

    async def send_list(self, req: Request, resp: Response) -> None:
        """Answer with a page."""
        page = await self._node.pool.run(
            self._page,
            req.caller.tenant,
            limit=params.limit(req),
            after=params.cursor(req),
        )
        send_page(req, resp, page, list)

    def _page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Object]:
        found = self._things.page(tenant, limit=limit, after=after)
        return Page(tuple(self.rendered(tenant, found.items)), found.next)

    async def send_one(self, req: Request, resp: Response, name: str) -> None:
        """Answer with one."""
        send_made(resp, await self._node.pool.run(self._read, req, name))

    def _read(self, req: Request, name: str) -> Made:
        found = self._things.find(req.caller.tenant, name)
        return self.made(req, found, status=200)

    async def remove(self, req: Request, resp: Response, name: str) -> None:
        """Delete one."""
        await self._node.pool.run(self._delete, req, name)
        resp.status = 204

    def _delete(self, req: Request, name: str) -> None:
        tenant, if_match = req.caller.tenant, self.if_match(req, name)
        self._things.delete(tenant, name, if_match=if_match)

    def if_match(self, req: Request, name: str) -> int | None:
        """Return the revision that the request insists on."""
        find = partial(self._things.find, req.caller.tenant)
        return params.if_match(req, partial(revision_of, find, name))

    def made(self, req: Request, thing: Thing, *, status: int) -> Made:
        """Return the answer to a read or a write of one."""
        (body,) = self.rendered(req.caller.tenant, [thing])
        return made(req, self.noun, thing, body, status=status)
