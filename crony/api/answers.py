"""Small things that responders do with an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, urlencode

import falcon.asgi
from pydantic_core import to_json

from crony.api import params
from crony.api.request import Request
from crony.model.task import Json
from crony.storage.contract import Page

Response = falcon.asgi.Response
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An answer that a use case has led to, before it is sent."""

    status: int
    body: Mapping[str, Json] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def encoded(body: Json) -> bytes:
    """Return JSON as it goes over the wire."""
    try:
        return to_json(body)
    except ValueError:
        # Deeper than it goes: only what moved in is as deep.
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def send(resp: Response, body: Json, *, status: int = 200) -> None:
    """Answer with JSON."""
    resp.status = status
    resp.content_type = "application/json"
    resp.data = encoded(body)


def send_made(resp: Response, made: Made) -> None:
    """Answer with what was made."""
    resp.status = made.status
    for name, value in made.headers.items():
        resp.set_header(name, value)
    if made.body is not None:
        send(resp, made.body, status=made.status)


def send_page(
    req: Request,
    resp: Response,
    page: Page[Item],
    render: Callable[[Sequence[Item]], Sequence[Mapping[str, Json]]],
    **more: Json,
) -> None:
    """Answer with one page of a list, where it goes on, and what else there is."""
    following = params.next_cursor(req, page.next)
    if following is not None:
        query = {name: values[0] for name, values in req.parameters.items()}
        query["cursor"] = following
        target = f"{req.raw_path.partition('?')[0]}?{urlencode(query)}"
        resp.set_header("Link", f'<{target}>; rel="next"')
    send(resp, {"items": list(render(page.items)), "next": following, **more})


def etag(revision: int) -> str:
    """Return a revision as an entity tag."""
    return f'"{revision}"'


def location(*segments: str) -> str:
    """Return the path of a resource."""
    return "/" + "/".join(quote(segment, safe="-._~") for segment in segments)
