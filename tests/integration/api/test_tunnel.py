"""TLS through a proxy: what it learns, and whom the client trusts behind it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crony import errors
from crony.client import Client
from tests.integration.api.test_listening import self_signed


class Tunnel:
    """A proxy, and behind it a service that answers one request."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.heard = b""
        self.asked = b""
        self._trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._trust.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        plain, _ = self._listener.accept()
        with plain:
            self.heard = plain.recv(65536)
            plain.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            try:
                with self._trust.wrap_socket(plain, server_side=True) as inner:
                    self.asked = inner.recv(65536)
                    inner.sendall(
                        b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'
                    )
            except ssl.SSLError:
                # The client has hung up on whom it does not trust.
                pass

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


@pytest.fixture
def tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tunnel]:
    certificate, key = self_signed(tmp_path, name="DNS:crony.invalid")
    made = Tunnel(certificate, key)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, made.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with closing(made):
        yield made


def test_a_request_goes_through_a_proxy_that_can_not_read_it(tunnel: Tunnel) -> None:
    with closing(Client("https://crony.invalid", key="crony_secret")) as client:
        assert client.stats() == {"a": 1}
    assert tunnel.heard.startswith(b"CONNECT crony.invalid:443 HTTP/1.1\r\n")
    assert b"crony_secret" not in tunnel.heard
    assert b"Host: crony.invalid\r\n" in tunnel.asked
    assert b"crony_secret" in tunnel.asked


def test_a_certificate_of_another_host_is_not_good(tunnel: Tunnel) -> None:
    with (
        closing(Client("https://other.invalid", key="crony_secret")) as client,
        pytest.raises(
            errors.ServiceUnreachable, match="is not good: Hostname mismatch"
        ),
    ):
        client.create_schedule({})
    assert tunnel.asked == b""
