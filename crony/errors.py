"""Every error Crony raises by name, in one tree.

::

    CronyError
    ├── InvalidTrigger            a trigger that has no meaning
    ├── InvalidSetting            a setting, its source and what would be right
    ├── InvalidBody               all faults of a request's body at once
    ├── MalformedBody             a request body that is not JSON
    ├── InvalidParameter          a query parameter or a header
    ├── NotFound                  no such thing in this tenant
    ├── Conflict
    │   ├── NameTaken             the name is another's
    │   ├── InUse                 something still refers to it
    │   ├── StaleToken            an old attempt, session or sequence number
    │   ├── RunOver               the run has ended
    │   ├── Contended             what it was worked out from has changed meanwhile
    │   └── KeyInProgress         the first request with this key is under way
    ├── KeyReused                 an idempotency key with another body
    ├── EventsPruned              what was asked for is no longer kept
    ├── RevisionMismatch          If-Match or If-None-Match does not hold
    ├── Unauthenticated           no key, or none that is known
    ├── Forbidden                 the key's role does not allow it
    ├── Throttled
    │   ├── QuotaExceeded         a bound of the tenant is reached
    │   └── RateExceeded          too many requests
    ├── Unavailable
    │   ├── StoreUnavailable      the store does not answer
    │   └── Overloaded            this node has too much to do
    ├── StoreUnusable             the store answers, but must not be used as it is
    ├── MissingSafeguard          a protection that must be there is not
    ├── SandboxFailed             one sandbox could not be prepared or started
    ├── AddressRefused            an address that requests may not reach
    └── ClientError
        ├── ServiceUnreachable    no answer from the service
        └── Refused               a problem that the service answered
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple


class CronyError(Exception):
    """The root: whoever catches this catches all that Crony raises by name.

    Its text is written for the person who can mend the cause, and never holds
    the text of a foreign error, a secret or a payload.
    """


class Fault(NamedTuple):
    """One thing that is wrong in a body.

    ``pointer`` is an RFC 6901 JSON pointer; ``detail`` quotes the value and says
    what would be right.
    """

    pointer: str
    detail: str


class InvalidTrigger(CronyError):
    """``field`` (``cron``, ``every``, ``at``, ``timezone``, ``dst``) is wrong."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class InvalidSetting(CronyError):
    """A setting that can't be used; ``source`` is a file, variable or option."""

    def __init__(self, source: str, key: str, detail: str) -> None:
        super().__init__(f"{source}: {key}: {detail}")
        self.source = source
        self.key = key
        self.detail = detail


class InvalidBody(CronyError):
    """A request body that was understood as JSON, with every fault it has."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{f.pointer}: {f.detail}" for f in faults))
        self.faults = tuple(faults)


class MalformedBody(CronyError):
    """A request body that is not JSON at all."""


class InvalidParameter(CronyError):
    """A query parameter or header that can't be used."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(f"{parameter}: {detail}")
        self.parameter = parameter
        self.detail = detail


class NotFound(CronyError):
    """There is no ``noun`` of that reference in the caller's tenant."""

    def __init__(self, noun: str, reference: str) -> None:
        super().__init__(f"there is no {noun} {reference!r}")
        self.noun = noun
        self.reference = reference


class Conflict(CronyError):
    """The request is sound, but the state of things does not admit it."""


class NameTaken(Conflict):
    """Another ``noun`` of the tenant has this name; ``holder`` is its id."""

    def __init__(self, noun: str, name: str, *, holder: str) -> None:
        super().__init__(f"a {noun} named {name!r} exists already")
        self.noun = noun
        self.name = name
        self.holder = holder


class InUse(Conflict):
    """The thing can't go while others refer to it; the text names them."""


class StaleToken(Conflict):
    """A token, session or sequence number that a newer one has replaced."""


class RunOver(Conflict):
    """The run has ended; its terminal state never changes."""

    def __init__(self, run: str, state: str) -> None:
        super().__init__(f"run {run} is over: {state}")
        self.run = run
        self.state = state


class Contended(Conflict):
    """What the write was worked out from has changed meanwhile; work it out anew."""


class KeyInProgress(Conflict):
    """The first request with this idempotency key has not been answered yet."""


class KeyReused(CronyError):
    """An idempotency key came again with another body."""


class EventsPruned(CronyError):
    """Events between where somebody stands and the oldest that is kept are gone."""


class RevisionMismatch(CronyError):
    """The resource is not at the revision that the request names."""


class Unauthenticated(CronyError):
    """The request carries no key, or none that the service knows."""


class Forbidden(CronyError):
    """The key is known, and its role does not allow this."""


class Throttled(CronyError):
    """Refused for now; ``retry_after`` says for how long."""

    def __init__(self, detail: str, *, retry_after: timedelta) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class QuotaExceeded(Throttled):
    """A quota of the tenant is used up."""


class RateExceeded(Throttled):
    """The tenant sends more requests than it may."""


class Unavailable(CronyError):
    """The service can't do it now; ``retry_after`` is when to ask again."""

    def __init__(self, detail: str, *, retry_after: timedelta) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class StoreUnavailable(Unavailable):
    """The store does not answer; nothing that was acknowledged is lost."""


class Overloaded(Unavailable):
    """This node has more to do than it can."""


class StoreUnusable(CronyError):
    """The store answers but must not be used, such as one of a newer schema."""


class StoreUnsafe(StoreUnusable):
    """As the store is set up, it would lose what it acknowledged; the text says what
    to change."""


class MissingSafeguard(CronyError):
    """A protection is missing; the text says how to get it."""


class SandboxFailed(CronyError):
    """One sandbox could not be prepared or started."""


class AddressRefused(CronyError):
    """An address that requests to where somebody else says may not reach."""


class ClientError(CronyError):
    """What a caller of the client may meet."""


class ServiceUnreachable(ClientError):
    """No answer from the service: it is down, elsewhere, or cut off."""


class Refused(ClientError):
    """The service answered with a problem.

    ``status`` is the HTTP status, ``problem`` the RFC 9457 body (empty when the
    answer had none), ``retry_after`` what the service asked for.
    """

    def __init__(
        self,
        status: int,
        problem: Mapping[str, object],
        *,
        retry_after: timedelta | None = None,
    ) -> None:
        text = problem.get("detail") or problem.get("title") or f"HTTP {status}"
        super().__init__(str(text))
        self.status = status
        self.problem = problem
        self.retry_after = retry_after

    @property
    def kind(self) -> str:
        """The last part of the problem's type, such as ``name-taken``."""
        return str(self.problem.get("type", "")).rsplit(":", 1)[-1]
