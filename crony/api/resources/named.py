"""What is put and read under a name of its own, with a revision."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from crony import errors
from crony.api import params
from crony.api.answers import Made, etag, location
from crony.api.bodies.fields import is_name
from crony.api.request import Request
from crony.errors import Fault
from crony.model.task import Json
from crony.scheduler.named import Revised


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
