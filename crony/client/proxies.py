"""The proxy that the environment names for an address, if any."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from crony.client.failing import Obstacle


class Proxy(NamedTuple):
    """Where it is, and what it wants to hear."""

    host: str
    port: int
    headers: Mapping[str, str]

    @property
    def name(self) -> str:
        """What people call it; a password is not part of it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def proxy_for(parts: SplitResult) -> Proxy | None:
    """Return the proxy to ask: of ``HTTPS_PROXY`` and its like, less ``NO_PROXY``.

    Raises ``Obstacle`` for one that is not spoken to by plain HTTP.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # Imported here: most environments name none.
    from urllib.request import getproxies_environment, proxy_bypass

    named = getproxies_environment()
    url = named.get(parts.scheme) or named.get("all")
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    spared = proxy_bypass(host) or proxy_bypass(f"{host}:{port}")
    if not url or spared or _excepted(host, named):
        return None
    proxy = _read(url if "://" in url else f"http://{url}")
    if proxy is None:
        # SECURITY: it is not quoted, since it may hold a password.
        raise Obstacle(
            f"the proxy that the environment names for {parts.scheme}:// addresses is "
            "not an http:// address"
        )
    return proxy


def _read(url: str) -> Proxy | None:
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        return None
    if parts.scheme != "http" or not parts.hostname:
        return None
    return Proxy(parts.hostname, port, _authorization(parts))


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
    # Imported here: few proxies ask who it is.
    import base64

    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    coded = base64.b64encode(pair.encode()).decode("ascii")
    return {"Proxy-Authorization": f"Basic {coded}"}
