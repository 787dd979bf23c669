"""Requests and answers: what all operations have in common."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias, TypedDict, Unpack, cast

from crony import __version__, errors
from crony.client.address import base_urls, checked_key, is_loopback, path_of
from crony.model.task import Json

if TYPE_CHECKING:
    import requests

#: An answer's JSON object.
Answer: TypeAlias = dict[str, Json]
#: What a query parameter may be; ``None`` leaves it out, many go with commas.
Parameter: TypeAlias = str | int | bool | Sequence[str] | None

#: Waits before each further try of what is safe to repeat. The first is none: a
#: connection that was kept may have been closed by the service a moment ago.
_PAUSES = (timedelta(0), timedelta(milliseconds=100), timedelta(milliseconds=400))

_CONNECT = timedelta(seconds=5)

#: Answers of a node, or of a proxy before it, that can do nothing at present.
_AILING = (502, 503, 504)


class _Options(TypedDict, total=False):
    """What a request may have besides its path."""

    params: Mapping[str, Parameter] | None
    body: Mapping[str, object] | None
    #: A body as it is, instead; the headers say what it is.
    raw: bytes | None
    headers: Mapping[str, str | None] | None
    #: Of a stream: how long it may be silent, else for ever.
    timeout: timedelta | None
    #: Sending it twice does no harm; a GET never does.
    repeatable: bool
    #: The body is read bit by bit, and may be silent for long.
    stream: bool


class Transport:
    """One keep-alive session with the service, opened at the first request.

    ``api_url`` may name several nodes, with commas between. One is asked for as long
    as it answers, and the next one in turn when it does not.
    """

    def __init__(
        self,
        api_url: str,
        *,
        key: str,
        tenant: str | None = None,
        timeout: timedelta = timedelta(seconds=30),
        session: requests.Session | None = None,
    ) -> None:
        self._urls = base_urls(api_url)
        self._turn = 0
        self._key = checked_key(key) if key else ""
        self._tenant = tenant
        self._timeout = timeout
        self._opened = session

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._opened is not None:
            self._opened.close()

    @property
    def _url(self) -> str:
        """The address of the node that is asked at present."""
        return self._urls[self._turn]

    def _turn_away(self) -> None:
        """Ask the next node from now on."""
        self._turn = (self._turn + 1) % len(self._urls)
        if self._opened is not None and len(self._urls) > 1:
            self._opened.trust_env = not is_loopback(self._url)

    def _session(self) -> requests.Session:
        if self._opened is None:
            # Imported here: programs that end before their first request should
            # not pay for it.
            import requests

            self._opened = requests.Session()
            self._opened.trust_env = not is_loopback(self._url)
        return self._opened

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # SECURITY: given as ``auth``, so that a .netrc can't replace the key.
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _call(self, method: str, *segments: str, **options: Unpack[_Options]) -> Answer:
        """Send one request; return the JSON object answered, ``{}`` for nothing."""
        response = self._respond(method, *segments, **options)
        if not response.content:
            return {}
        answer = _parsed(response)
        if not isinstance(answer, dict):
            raise errors.Refused(response.status_code, _foreign(self._url))
        return cast(Answer, answer)

    def _respond(
        self, method: str, *segments: str, **options: Unpack[_Options]
    ) -> requests.Response:
        """Send one request; return an answer that is no problem."""
        body, raw = options.get("body"), options.get("raw")
        request = _Request(
            method,
            path_of(segments),
            _query(options.get("params") or {}),
            self._headers(options.get("headers") or {}, with_body=body is not None),
            raw if body is None else _encoded(body),
        )
        stream = options.get("stream", False)
        # A stream may be silent for as long as its run is.
        timeout = options.get("timeout") or (None if stream else self._timeout)
        repeatable = method == "GET" or options.get("repeatable", False)
        pauses = iter(_PAUSES if repeatable else ())
        others = len(self._urls) - 1
        while True:
            try:
                response = self._send(request, timeout=timeout, stream=stream)
            except errors.ServiceUnreachable as exc:
                self._turn_away()
                if others and _unsent(exc):
                    # No node has seen it, so the next one may.
                    others -= 1
                    continue
                pause = None if _timed_out(exc) else next(pauses, None)
                if pause is None:
                    raise
                time.sleep(pause.total_seconds())
                others = len(self._urls) - 1
                continue
            if response.status_code >= 300:
                raise self._refused(response)
            return response

    def _send(
        self, request: _Request, *, timeout: timedelta | None, stream: bool
    ) -> requests.Response:
        reading = None if timeout is None else timeout.total_seconds()
        connecting = min(_CONNECT, timeout or self._timeout).total_seconds()
        with self._unreachable():
            return self._session().request(
                request.method,
                self._url + request.path,
                params=request.params,
                data=request.body,
                headers=request.headers,
                auth=self._authorize,
                timeout=(connecting, reading),
                # The service never redirects; whoever does must not get the key.
                allow_redirects=False,
                stream=stream,
            )

    @contextmanager
    def _unreachable(self) -> Iterator[None]:
        """Say what to do when there is no answer, instead of which socket failed."""
        import requests

        try:
            yield
        except requests.exceptions.SSLError as exc:
            if not _distrusted(exc):
                raise errors.ServiceUnreachable(
                    f"{self._url} does not speak TLS; is it http:// instead of "
                    "https://? Name its address with --api or CRONY_API_URL"
                ) from exc
            raise errors.ServiceUnreachable(
                f"the certificate of {self._url} is not trusted; check the address, "
                "or name the issuer's certificate in REQUESTS_CA_BUNDLE"
            ) from exc
        except requests.exceptions.Timeout as exc:
            raise errors.ServiceUnreachable(
                f"{self._url} did not answer in time; check that it is healthy: "
                f"{self._url}/health/ready"
            ) from exc
        except (requests.exceptions.RequestException, OSError) as exc:
            raise errors.ServiceUnreachable(
                f"no answer from {' or '.join(self._urls)}; is the service running? "
                "Start it with `crony up`, or name its address with CRONY_API_URL"
            ) from exc

    def _headers(
        self, given: Mapping[str, str | None], *, with_body: bool
    ) -> dict[str, str]:
        headers = {
            "Accept": "application/json, application/problem+json",
            "User-Agent": f"crony/{__version__}",
        }
        if with_body:
            headers["Content-Type"] = "application/json"
        if self._tenant is not None:
            headers["X-Crony-Tenant"] = self._tenant
        headers.update({name: value for name, value in given.items() if value})
        return headers

    def _refused(self, response: requests.Response) -> errors.Refused:
        refusal = self._refusal(response)
        if refusal.status in _AILING:
            # This node may be cut off from the store, and another not.
            self._turn_away()
        return refusal

    def _refusal(self, response: requests.Response) -> errors.Refused:
        with self._unreachable():
            problem = _parsed(response)
        if not isinstance(problem, dict):
            problem = _foreign(self._url)
        return errors.Refused(
            response.status_code, problem, retry_after=_retry_after(response)
        )


class _Request:
    """All of a request, so that it can be sent again as it is."""

    __slots__ = ("body", "headers", "method", "params", "path")

    def __init__(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> None:
        self.method = method
        self.path = path
        self.params = params
        self.headers = headers
        self.body = body


def _timed_out(exc: errors.ServiceUnreachable) -> bool:
    """Whether the caller's patience is used up, so that trying again exceeds it."""
    import requests

    return isinstance(exc.__cause__, requests.exceptions.Timeout)


def _unsent(exc: errors.ServiceUnreachable) -> bool:
    """Whether there was not even a connection."""
    import requests
    from urllib3.exceptions import NewConnectionError

    cause = exc.__cause__
    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return True
    return _within(cause, NewConnectionError)


def _distrusted(exc: BaseException) -> bool:
    """Whether TLS failed over a certificate, and not for want of TLS."""
    return _within(exc, ssl.SSLCertVerificationError)


def _within(exc: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether an error of this kind is what was wrapped."""
    found = exc
    while found is not None:
        if isinstance(found, kind):
            return True
        # What was wrapped in turn is an argument or a reason.
        inner = [getattr(found, "reason", None), *found.args]
        found = next((each for each in inner if isinstance(each, Exception)), None)
    return False


def _encoded(body: Mapping[str, object]) -> bytes:
    # A lone surrogate is escaped, not sent as broken UTF-8: the service says why
    # it is refused.
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def _query(params: Mapping[str, Parameter]) -> dict[str, str]:
    return {
        name: _parameter(value) for name, value in params.items() if value is not None
    }


def _parameter(value: str | int | Sequence[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int)) else ",".join(value)


def _parsed(response: requests.Response) -> object:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _foreign(url: str) -> dict[str, object]:
    return {
        "title": "Not an answer of Crony",
        "detail": f"what answers at {url} is not a Crony service; check the address",
    }


def _retry_after(response: requests.Response) -> timedelta | None:
    text = response.headers.get("Retry-After", "")
    if not text.isascii() or not text.isdigit():
        return None
    return timedelta(seconds=min(int(text), 86_400))
