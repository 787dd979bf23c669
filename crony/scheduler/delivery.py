"""One try to hand an event to a webhook, and what follows from how it went.

Deliveries are signed as the Standard Webhooks specification says: an HMAC of the id,
the instant and the very bytes that are sent. An answer of 2xx is success, and nothing
else is; a redirect is not followed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from crony import __version__, errors
from crony.clock import cut
from crony.model import ids
from crony.model.webhook import Delivery, DeliveryState, Webhook
from crony.outbound import Rules, connect
from crony.scheduler.rendering import Object

_PREFIX = "whsec_"
#: Bytes that a secret may have, and has when it is made here.
SECRET_BYTES = range(24, 65)
_MADE = 32

#: How long after each failure the next try comes; after the last there is none.
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
#: Each is longer by up to this share, so that those that failed together spread.
_SPREAD = 0.2
#: A delivery that had to wait for others of its webhook is given up after this, too.
GIVE_UP = timedelta(days=5)
#: What an endpoint may ask for at most.
_LONGEST = timedelta(days=1)

#: How long a whole try may take, in seconds.
SECONDS = 15.0
#: What is read of an answer, in bytes, and kept of it, in characters.
_READ = 4 << 10
_EXCERPT = 200

GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a try went; without a status there was no answer."""

    status: int | None = None
    error: str | None = None
    #: What the endpoint asked for.
    retry_after: timedelta | None = None

    @property
    def accepted(self) -> bool:
        """Whether the event was taken."""
        return self.status is not None and 200 <= self.status < 300


class Line:
    """The connection of one try, which somebody else may cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False

    @property
    def is_cut(self) -> bool:
        """Whether what was read since may be a part of what was said."""
        return self._cut

    def opened(self, connection: socket.socket) -> None:
        """Take a socket; raises ``ConnectionError`` when it is too late."""
        with self._lock:
            self._socket = connection
            if self._cut:
                raise ConnectionError("it took too long")

    def cut(self) -> None:
        """End whatever is read or written."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                with suppress(OSError):
                    # Not the method of a TLS socket, which is in use elsewhere.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def new_secret(entropy: Callable[[int], bytes]) -> str:
    """Return a new secret."""
    return _PREFIX + base64.b64encode(entropy(_MADE)).decode()


def key_of(secret: str) -> bytes:
    """Return what is signed with; raises ``ValueError``, which never quotes it."""
    text = secret.removeprefix(_PREFIX)
    if text == secret:
        raise ValueError(f'must begin with "{_PREFIX}"')
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        # SECURITY: not even as a cause may the text of a secret go on.
        raise ValueError(f'must be base64 after "{_PREFIX}"') from None
    if len(key) not in SECRET_BYTES:
        raise ValueError(
            f"must be base64 of {SECRET_BYTES[0]} to {SECRET_BYTES[-1]} bytes, "
            f"not of {len(key)}"
        )
    return key


def signature(secret: str, *, id: str, timestamp: int, payload: bytes) -> str:
    """Return the value of ``webhook-signature``."""
    signed = b".".join((id.encode(), str(timestamp).encode(), payload))
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def send(
    webhook: Webhook,
    event: Object,
    *,
    at: datetime,
    rules: Rules,
    line: Line,
    seconds: float = SECONDS,
) -> Answer:
    """Send an event; whatever goes wrong is in the answer."""
    payload = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    timestamp = ids.milliseconds(at) // 1000
    id = str(event["id"])
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "User-Agent": f"crony/{__version__}",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(
            webhook.secret, id=id, timestamp=timestamp, payload=payload
        ),
    }
    late = threading.Timer(seconds, line.cut)
    late.daemon = True
    late.start()
    try:
        answer = _exchange(webhook.url, payload, headers, rules, line, seconds)
    except (errors.AddressRefused, ConnectionError) as exc:
        answer = Answer(error=str(exc))
    finally:
        late.cancel()
    if line.is_cut:
        # Whatever came of it, or went wrong then, came of that.
        return Answer(error=f"no answer within {seconds:g} s")
    return answer


def _exchange(
    url: str,
    payload: bytes,
    headers: dict[str, str],
    rules: Rules,
    line: Line,
    seconds: float,
) -> Answer:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = connect(parts, rules, line.opened, seconds=seconds)
    try:
        connection.request("POST", path, body=payload, headers=headers)
        answer = connection.getresponse()
        # What an endpoint that took it has to say is nobody's concern.
        body = b"" if 200 <= answer.status < 300 else _part(answer)
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise ConnectionError(f"no answer from {parts.netloc}") from exc
    finally:
        connection.close()
    if 200 <= answer.status < 300:
        return Answer(status=answer.status)
    return Answer(
        status=answer.status,
        error=_error(answer.status, body),
        retry_after=_retry_after(answer.getheader("Retry-After")),
    )


def _part(answer: http.client.HTTPResponse) -> bytes:
    """Return the beginning of a body, as far as it comes."""
    try:
        return answer.read(_READ)
    except (OSError, http.client.HTTPException, ValueError):
        return b""


def _error(status: int, body: bytes) -> str:
    text = body.decode("utf-8", "replace")[:_EXCERPT]
    excerpt = "".join(c if c.isprintable() else " " for c in text).strip()
    return f"status {status}" + (f": {excerpt}" if excerpt else "")


def _retry_after(text: str | None) -> timedelta | None:
    if text is None or not re.fullmatch(r"[0-9]{1,9}", text.strip(), re.ASCII):
        return None
    return min(timedelta(seconds=int(text)), _LONGEST)


def decided(
    delivery: Delivery, answer: Answer, *, now: datetime, fraction: float
) -> Delivery:
    """Return a delivery after a try; ``fraction`` is chance, from 0 to 1."""
    tried = replace(
        delivery,
        tries=delivery.tries + 1,
        status=answer.status,
        error=answer.error,
        next_at=None,
        finished_at=cut(now),
    )
    if answer.accepted:
        return replace(tried, state=DeliveryState.DELIVERED)
    next_at = _next_at(delivery, answer, now=now, fraction=fraction)
    if answer.status == GONE or next_at is None:
        return replace(tried, state=DeliveryState.FAILED)
    return replace(
        tried, state=DeliveryState.PENDING, next_at=next_at, finished_at=None
    )


def _next_at(
    delivery: Delivery, answer: Answer, *, now: datetime, fraction: float
) -> datetime | None:
    if delivery.tries >= len(DELAYS) or now - delivery.created_at >= GIVE_UP:
        return None
    delay = DELAYS[delivery.tries] * (1 + _SPREAD * fraction)
    return cut(now + max(delay, answer.retry_after or timedelta()))
