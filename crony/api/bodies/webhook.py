"""Webhooks, as clients write them."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, WithJsonSchema

from crony.api.bodies.fields import Body, Text
from crony.api.event_types import check_type
from crony.model.event import FILTERS
from crony.scheduler.delivery import SECRET_BYTES, key_of

MOST_URL = 2048
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}", re.ASCII)
_VISIBLE = re.compile(r"[\x21-\x7e]+", re.ASCII)


def _url(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError('must be a URL such as "https://example.org/hook"')
    if len(value) > MOST_URL:
        raise ValueError(f"is longer than {MOST_URL} characters")
    if _VISIBLE.fullmatch(value) is None:
        raise ValueError("may hold visible ASCII alone; write the rest as %XX")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError as exc:
        raise ValueError(f'"{value[:80]}" is no URL') from exc
    if parts.scheme not in ("http", "https"):
        raise ValueError(f'"{value[:80]}" does not begin with https:// or http://')
    if _HOST.fullmatch(host) is None or port == 0:
        raise ValueError(f'"{value[:80]}" names no host that could be reached')
    if "@" in parts.netloc:
        # SECURITY: whoever reads the webhook would read them.
        raise ValueError("must hold no user and password; deliveries are signed")
    if "#" in value:
        raise ValueError(f'"{value[:80]}" has a fragment, which is never sent')
    return value


Url: TypeAlias = Annotated[
    str,
    PlainValidator(_url),
    WithJsonSchema(
        {
            "type": "string",
            "format": "uri",
            "pattern": r"^https?://[A-Za-z0-9\[][\x21\x22\x24-\x3f\x41-\x7e]*$",
            "maxLength": MOST_URL,
            "examples": ["https://example.org/hook"],
        }
    ),
]


def _type(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError('must be a type of event such as "run.failed"')
    return check_type(value)


EventType: TypeAlias = Annotated[
    str,
    PlainValidator(_type),
    WithJsonSchema({"type": "string", "enum": list(FILTERS)}),
]


def _secret(value: object) -> str:
    # SECURITY: no fault quotes it.
    if not isinstance(value, str):
        raise ValueError('must be a string that begins with "whsec_"')
    key_of(value)
    return value


Secret: TypeAlias = Annotated[
    str,
    PlainValidator(_secret),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^whsec_[A-Za-z0-9+/]{32,86}={0,2}$",
            "writeOnly": True,
            "description": (
                f"`whsec_` and base64 of {SECRET_BYTES[0]} to {SECRET_BYTES[-1]} "
                "bytes; made when absent, and kept when replaced without."
            ),
        }
    ),
]


class WebhookBody(Body):
    """A webhook: where events go, and which; no types are all of them."""

    url: Url
    types: Annotated[list[EventType], Field(max_length=len(FILTERS))] = []
    description: Text = ""
    paused: bool = False
    secret: Secret | None = None


#: What is read back with a webhook: accepted in a PUT, and ignored.
LIVE_OF_WEBHOOK = frozenset({"name", "tenant", "revision", "created_at", "updated_at"})
