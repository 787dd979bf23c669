"""The service's address and key: checked once, before anything is sent."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from crony import errors


def base_urls(api_url: str) -> tuple[str, ...]:
    """Return the addresses of a service's nodes: one, or several with commas."""
    # SECURITY: what stands before an @ may be a password with a comma in it.
    hidden = "@" in api_url
    return tuple(_base_url(part.strip(), hidden=hidden) for part in api_url.split(","))


def _base_url(api_url: str, *, hidden: bool) -> str:
    """Return the address without a final slash; refuse what is not HTTP."""
    shown = "an address with an @" if hidden else f'"{api_url}"'
    fault = _fault(api_url)
    if fault:
        raise errors.InvalidSetting("client", "api_url", f"{shown} {fault}")
    return api_url.rstrip("/")


def _fault(api_url: str) -> str:
    try:
        parts = urlsplit(api_url)
        port, host = parts.port, parts.hostname or ""
        host if host.isascii() else host.encode("idna")
    except ValueError:
        return "has a host or a port that is none"
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return "is not an http:// or https:// address"
    if "@" in parts.netloc:
        return "must have no name and no password; name a key with CRONY_KEY_FILE"
    if not api_url.isprintable() or " " in api_url:
        return "holds blanks or control characters"
    if parts.query or parts.fragment:
        return 'must end before "?" and "#"'
    return ""


def are_loopback(api_url: str) -> bool:
    """Whether all addresses are this machine's own."""
    return all(is_loopback(url) for url in base_urls(api_url))


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own, so that no proxy is asked."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_key(key: str) -> str:
    """Return the key without surrounding blanks; refuse what can't be a header."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        # SECURITY: the text must not quote what may be most of a secret.
        raise errors.Unauthenticated(
            'the key is empty or damaged; a key is one word such as "crony_…"'
        )
    return key


def path_of(segments: Iterable[str]) -> str:
    """Return the path whose segments are exactly these, whatever is in them."""
    return "".join("/" + _encoded(segment) for segment in segments)


def _encoded(segment: str) -> str:
    # HTTP libraries resolve these even when they are percent-encoded, and would
    # address another resource than the one that was meant.
    if segment in ("", ".", ".."):
        raise errors.Refused(
            404,
            {
                "type": "urn:crony:problem:not-found",
                "title": "There is no such resource",
                "status": 404,
                "detail": f'nothing can be named "{segment}"',
            },
        )
    return quote(segment, safe=":")
