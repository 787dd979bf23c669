"""Every error as an RFC 9457 problem, in one table.

A responder never catches: what it raises is looked up here. The text that a caller
sees is the error's own, written for callers; a foreign exception is logged under the
request's id and answered without its text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil

from crony import errors
from crony.model.task import Json

PREFIX = "urn:crony:problem:"
REQUEST = "urn:crony:request:"
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem."""

    status: int
    name: str
    title: str


_INVALID_BODY = Kind(422, "invalid-body", "The body has faults")
NOT_FOUND = Kind(404, "not-found", "There is no such thing")
NO_METHOD = Kind(405, "method-not-allowed", "The resource has no such method")
NOT_ACCEPTABLE = Kind(406, "not-acceptable", "The answer comes in other media types")
TOO_LARGE = Kind(413, "too-large", "The body is too large")
UNSUPPORTED = Kind(415, "unsupported-media-type", "The body is of another media type")
RANGE = Kind(416, "range", "The log has no such range")
INTERNAL = Kind(500, "internal", "The service failed")
#: What the server answers before there is a request.
TIMEOUT = Kind(408, "timeout", "The request took too long to arrive")
LONG_ADDRESS = Kind(414, "uri-too-long", "The address is too long")
LARGE_HEADERS = Kind(431, "headers-too-large", "The headers are too large")
CODING = Kind(501, "unsupported-coding", "The transfer coding is not supported")
MALFORMED = Kind(400, "malformed-request", "The request is not HTTP as it should be")
OVERLOADED = Kind(503, "overloaded", "The service has too much to do")
_RATE = Kind(429, "rate", "Too many requests")
_STORE = Kind(503, "store-unavailable", "The store does not answer")

#: What a use case, or the door itself, may raise.
TABLE: Mapping[type[errors.CronyError], Kind] = {
    errors.InvalidTrigger: _INVALID_BODY,
    errors.InvalidBody: _INVALID_BODY,
    errors.MalformedBody: Kind(400, "malformed-json", "The body is not JSON"),
    errors.InvalidParameter: Kind(
        400, "invalid-parameter", "A parameter can't be used"
    ),
    errors.NotFound: NOT_FOUND,
    errors.Conflict: Kind(409, "conflict", "The state of things does not admit it"),
    errors.NameTaken: Kind(409, "name-taken", "The name is taken"),
    errors.InUse: Kind(409, "in-use", "Something still refers to it"),
    errors.StaleToken: Kind(409, "stale-token", "A newer one has replaced it"),
    errors.RunOver: Kind(409, "run-over", "The run is over"),
    # Whoever meets it tries again, and gives up as overloaded.
    errors.Contended: OVERLOADED,
    errors.KeyInProgress: Kind(
        409, "key-in-progress", "The first request with this key is under way"
    ),
    errors.KeyReused: Kind(
        422, "key-reused", "The idempotency key came with another body"
    ),
    errors.EventsPruned: Kind(410, "events-pruned", "The events are no longer kept"),
    errors.RevisionMismatch: Kind(412, "revision", "It is at another revision"),
    errors.Unauthenticated: Kind(401, "no-key", "A key is needed"),
    errors.Forbidden: Kind(403, "role", "The key's role does not allow it"),
    errors.Throttled: _RATE,
    errors.RateExceeded: _RATE,
    errors.QuotaExceeded: Kind(429, "quota", "A quota is used up"),
    errors.Unavailable: _STORE,
    errors.StoreUnavailable: _STORE,
    errors.Overloaded: OVERLOADED,
    errors.StoreUnusable: _STORE,
    errors.StoreUnsafe: _STORE,
}

#: What only programs meet, never a request.
ELSEWHERE = frozenset(
    {
        errors.CronyError,
        errors.InvalidSetting,
        errors.MissingSafeguard,
        errors.SandboxFailed,
        errors.AddressRefused,
        errors.ClientError,
        errors.ServiceUnreachable,
        errors.Refused,
    }
)

#: How long to wait where the error does not say.
_RETRY = timedelta(seconds=1)


class RequestProblem(Exception):
    """A request that HTTP itself refuses: its method, media type, size or range."""

    def __init__(
        self, kind: Kind, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem that is ready to be sent."""

    kind: Kind
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, *, instance: str | None) -> dict[str, Json]:
        """Return the members of RFC 9457, and ours."""
        said: dict[str, Json] = {
            "type": PREFIX + self.kind.name,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if instance is not None:
            said["instance"] = REQUEST + instance
        if self.errors:
            said["errors"] = list(self.errors)
        return said

    def encoded(self, *, instance: str | None) -> bytes:
        """Return the body as it goes over the wire."""
        return json.dumps(self.body(instance=instance), ensure_ascii=False).encode()


def of(exc: Exception) -> Problem:
    """Return the problem for whatever a request ended in."""
    if isinstance(exc, RequestProblem):
        return Problem(kind=exc.kind, detail=exc.detail, headers=exc.headers)
    kind = next((TABLE[c] for c in type(exc).__mro__ if c in TABLE), None)
    if kind is None:
        return Problem(
            kind=INTERNAL,
            detail="The request failed inside the service; its log has the cause "
            "under this instance.",
        )
    return Problem(
        kind=kind, detail=_detail(exc), errors=_faults(exc), headers=_headers(exc, kind)
    )


def _detail(exc: Exception) -> str:
    if isinstance(exc, errors.InvalidBody):
        count = len(exc.faults)
        fields = "1 field needs" if count == 1 else f"{count} fields need"
        return f"{fields} a change; nothing was saved."
    if isinstance(exc, errors.InvalidParameter):
        return _sentence(f'"{exc.parameter}": {exc.detail}')
    text = str(exc)
    return _sentence(text[:1].upper() + text[1:])


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else text + "."


def _faults(exc: Exception) -> Sequence[Mapping[str, str]]:
    if isinstance(exc, errors.InvalidBody):
        return [{"pointer": f.pointer, "detail": f.detail} for f in exc.faults]
    if isinstance(exc, errors.InvalidTrigger):
        return [{"pointer": f"/{exc.field}", "detail": exc.detail}]
    if isinstance(exc, errors.InvalidParameter):
        return [{"parameter": exc.parameter, "detail": exc.detail}]
    return ()


def _headers(exc: Exception, kind: Kind) -> Mapping[str, str]:
    if isinstance(exc, errors.Throttled | errors.Unavailable):
        seconds = max(1, ceil(exc.retry_after / timedelta(seconds=1)))
        return {"Retry-After": str(seconds)}
    if kind.status == 503 or isinstance(exc, errors.KeyInProgress):
        return {"Retry-After": str(ceil(_RETRY / timedelta(seconds=1)))}
    if isinstance(exc, errors.NameTaken):
        return {"Location": f"/{exc.noun}s/{exc.holder}"}
    if kind.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="crony"'}
    return {}
