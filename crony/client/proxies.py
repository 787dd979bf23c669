"""The proxy that the environment names for an address, if any."""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit


class Proxy(NamedTuple):
    """Where it is, and what it wants to hear."""

    host: str
    port: int
    headers: Mapping[str, str]


def proxy_for(parts: SplitResult) -> Proxy | None:
    """Return the proxy to ask: of ``HTTPS_PROXY`` and its like, less ``NO_PROXY``.

    Raises ``ConnectionError`` for one that is not spoken to by plain HTTP.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # Imported here: most environments name none.
    from urllib.request import getproxies_environment, proxy_bypass

    named = getproxies_environment()
    url = named.get(parts.scheme) or named.get("all")
    host = parts.hostname or ""
    if not url or proxy_bypass(host) or _excepted(host, named):
        return None
    proxy = urlsplit(url if "://" in url else f"http://{url}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise ConnectionError("the environment's proxy is not an http:// address")
    return Proxy(proxy.hostname, proxy.port or 80, _authorization(proxy))


def _excepted(host: str, named: Mapping[str, str]) -> bool:
    """Whether it is in a network that needs no proxy, such as 10.0.0.0/8."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(_holds(word.strip(), address) for word in named.get("no", "").split(","))


def _holds(word: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(word, strict=False)
    except ValueError:
        return False


def _authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    coded = base64.b64encode(pair.encode()).decode("ascii")
    return {"Proxy-Authorization": f"Basic {coded}"}
