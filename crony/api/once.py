"""Idempotency keys at the door: the same request twice is answered once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping

from crony import errors
from crony.api.answers import Made, encoded
from crony.api.request import Request
from crony.model.task import Json
from crony.scheduler.idempotency import Idempotency
from crony.storage.contract import Answer

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)

#: Shown once: never kept, and ``null`` when an answer is replayed.
SECRETS = ("key",)


def once(
    req: Request,
    idempotency: Idempotency,
    body: Json,
    *,
    propose: Callable[[], str],
    make: Callable[[str | None], Made],
) -> Made:
    """Make something, or replay what was answered to the same request.

    ``make`` gets the id to create under, ``None`` when the request has no key. What
    was refused is forgotten. When it is not known whether the store did it, the
    claim stays: a repeat creates under the same id.
    """
    key = key_of(req)
    if key is None:
        return make(None)
    tenant = req.caller.tenant
    begun = idempotency.begin(
        tenant, key, digest=_digest(req, body), resource=propose()
    )
    if begun.replay is not None:
        return _replayed(begun.replay)
    try:
        made = make(begun.resource)
    except errors.Unavailable:
        raise
    except errors.CronyError:
        idempotency.abandon(tenant, key, begun)
        raise
    idempotency.finish(
        tenant,
        key,
        begun,
        status=made.status,
        headers=made.headers,
        body=None if made.body is None else encoded(_without_secrets(made.body)),
    )
    return made


def _replayed(kept: Answer) -> Made:
    content: Mapping[str, Json] | None = json.loads(kept.body) if kept.body else None
    return Made(status=kept.status or 200, body=content, headers=kept.headers)


def key_of(req: Request) -> str | None:
    """Return the request's idempotency key."""
    given = req.header(HEADER)
    if given is not None and _KEY.fullmatch(given) is None:
        raise errors.InvalidParameter(
            HEADER, "must be 1 to 255 characters of ASCII without blanks"
        )
    return given


def _digest(req: Request, body: Json) -> str:
    """Return what makes a request the same: its target and its meaning."""
    said = json.dumps([req.method, req.path, req.query_string, body], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _without_secrets(body: Mapping[str, Json]) -> Mapping[str, Json]:
    return {name: None if name in SECRETS else v for name, v in body.items()}
