"""Why there is no answer, in words for the person who can mend it."""

from __future__ import annotations

#: What TLS calls an answer that is none of its own.
_FOREIGN = {
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_PROTOCOL",
    "WRONG_VERSION_NUMBER",
}

#: What OpenSSL calls a certificate whose issuer it does not know.
_UNKNOWN_ISSUERS = (2, 18, 19, 20, 21)


class NotConnected(ConnectionError):
    """There was not even a connection, so nothing was sent; its cause says why."""


class Broken(ConnectionError):
    """What answers breaks off, or does not speak HTTP."""


class Obstacle(ConnectionError):
    """What stands between, in words for the person who can remove it."""


def reason_of(exc: BaseException) -> BaseException:
    """Return what was wrong at first."""
    while exc.__cause__ is not None and not isinstance(exc, Obstacle):
        exc = exc.__cause__
    return exc


def explained(
    reason: BaseException, url: str, *, all_urls: tuple[str, ...], proxy: str
) -> str:
    """Say what to do when ``url`` does not answer, instead of which socket failed.

    ``proxy`` is the one between; nothing where there is none.
    """
    import ssl

    through = f" through the proxy {proxy}" if proxy else ""
    if isinstance(reason, Obstacle):
        return str(reason)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _distrusted(reason.verify_code, reason.verify_message, url)
    if isinstance(reason, ssl.SSLError):
        if reason.reason in _FOREIGN:
            return (
                f"{url} does not speak TLS; is it http:// instead of "
                "https://? Name its address with --api or CRONY_API_URL"
            )
        words = (reason.reason or reason.strerror or "").replace("_", " ").lower()
        return f"TLS with {url}{through} failed: {words}"
    if isinstance(reason, TimeoutError):
        return (
            f"{url}{through} did not answer in time; check that it is healthy: "
            f"{url}/health/ready"
        )
    return (
        f"no answer from {' or '.join(all_urls)}{through}; is the service running? "
        "Start it with `crony up`, or name its address with CRONY_API_URL"
    )


def _distrusted(code: int, message: str, url: str) -> str:
    if code in _UNKNOWN_ISSUERS:
        return (
            f"the certificate of {url} is not trusted; check the address, "
            "or name the issuer's certificate in REQUESTS_CA_BUNDLE"
        )
    return f"the certificate of {url} is not good: {message}"
