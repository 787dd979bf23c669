"""Ways to a node: which address is asked, for how long, and what is said of it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from crony import errors
from crony.client import Client
from crony.client.connection import Node
from crony.client.failing import explained
from tests.unit.client.test_connection import EMPTY, script
from tests.unit.client.test_transport import KEY

STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def trickle(first: bytes, then: bytes, *, every: float) -> Iterator[str]:
    """Answer one connection: something at once, then something again and again."""
    gone = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(first)
            while not gone.wait(every):
                try:
                    connection.sendall(then)
                except OSError:
                    return

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        gone.set()
        thread.join()
        listener.close()


def test_headers_that_trickle_end_with_the_callers_patience() -> None:
    with trickle(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", every=0.05) as url:
        started = time.monotonic()
        with pytest.raises(errors.ServiceUnreachable, match="in time"):
            Client(url, key=KEY, timeout=timedelta(milliseconds=300)).stats()
        assert time.monotonic() - started < 3


def test_a_log_waits_for_its_beginning_no_longer_than_others() -> None:
    with trickle(b"", b"", every=10) as url:
        crony = Client(url, key=KEY, timeout=timedelta(milliseconds=200))
        with pytest.raises(errors.ServiceUnreachable, match="in time"):
            next(crony.follow_log("run_1"))


def test_a_log_that_has_begun_may_be_silent_for_long() -> None:
    with trickle(STREAM, b"3\r\none\r\n", every=0.5) as url:
        crony = Client(url, key=KEY, timeout=timedelta(milliseconds=200))
        assert next(crony.follow_log("run_1")) == b"one"


def test_an_ipv6_address_without_a_port_is_asked_at_the_usual_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def resolve(host: bytes, port: int, **_: object) -> list[object]:
        asked.append((host.decode("ascii"), port))
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for scheme in ("http", "https"):
        with pytest.raises(errors.ServiceUnreachable):
            Client(f"{scheme}://[2001:db8::8640]", key=KEY).create_schedule({})
    assert asked == [("2001:db8::8640", 80), ("2001:db8::8640", 443)]


def test_addresses_and_nodes_share_the_time_to_connect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    class Silent:
        def __init__(self, *_: object) -> None:
            pass

        def settimeout(self, seconds: float) -> None:
            waits.append(seconds)

        def connect(self, _: object) -> None:
            raise TimeoutError

        def close(self) -> None:
            pass

    found = [(0, 0, 0, "", ("192.0.2.1", 80)), (0, 0, 0, "", ("192.0.2.2", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "socket", Silent)
    nodes = "http://a.invalid,http://b.invalid"
    with pytest.raises(errors.ServiceUnreachable, match="in time"):
        Client(nodes, key=KEY, timeout=timedelta(seconds=2)).create_schedule({})
    # Half of the time for a node, half of that for its first address.
    assert len(waits) == 4
    assert waits[0] == pytest.approx(0.5, abs=0.1)
    assert waits[1] == pytest.approx(1, abs=0.1)


def test_a_connection_is_watched_and_does_not_wait_to_fill_packets() -> None:
    with script(EMPTY) as (url, _):
        crony = Client(url, key=KEY)
        crony.stats()
        sock = crony._node()._kept[0]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        crony.close()


def test_an_address_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(node: Node, url: str) -> None:
        made.append(url)
        plain(node, url)

    plain = Node.__init__
    monkeypatch.setattr(Node, "__init__", counted)
    with script(EMPTY, EMPTY) as (url, _):
        crony = Client(url, key=KEY)
        crony.stats()
        crony.stats()
        crony.close()
    assert made == [url]


@contextmanager
def hanging_up() -> Iterator[tuple[str, list[bytes]]]:
    """Read the first words of a connection, and close it; yield what they were."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        connection, _ = listener.accept()
        with connection:
            heard.append(connection.recv(65536))

    thread = threading.Thread(target=hang_up)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", heard
    finally:
        # Of one that nobody has connected to.
        socket.create_connection(listener.getsockname()).close()
        thread.join()
        listener.close()


def test_tls_that_breaks_off_before_its_start_has_sent_nothing() -> None:
    with hanging_up() as (url, first), hanging_up() as (other, second):
        with pytest.raises(errors.ServiceUnreachable):
            Client(f"{url},{other}", key=KEY).create_schedule({})
        # A greeting each, and of no use to anybody: the next one may be tried.
        assert first[0] != b""
        assert second[0] != b""


def test_a_bundle_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none"))
    said = f"REQUESTS_CA_BUNDLE is {tmp_path}/none, which can't be read: No such file"
    with pytest.raises(errors.ServiceUnreachable, match=said):
        Client("https://127.0.0.1:1", key=KEY).create_schedule({})


def test_a_bundle_that_is_no_pem_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_text("nothing")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(bundle))
    said = f"CURL_CA_BUNDLE is {bundle}, which holds no certificates"
    with pytest.raises(errors.ServiceUnreachable, match=said):
        Client("https://127.0.0.1:1", key=KEY).create_schedule({})


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        (10, "certificate has expired", "is not good: certificate has expired"),
        (62, "Hostname mismatch", "is not good: Hostname mismatch"),
        (20, "unable to get local issuer certificate", "name the issuer's"),
    ],
)
def test_a_certificate_that_is_not_good_says_why(
    code: int, message: str, said: str
) -> None:
    failure = ssl.SSLCertVerificationError(1, "[SSL] failed")
    failure.verify_code, failure.verify_message = code, message
    assert said in explained(failure, "https://a", all_urls=("https://a",), proxy="")


def test_tls_that_fails_otherwise_says_how() -> None:
    with (
        hanging_up() as (url, _),
        pytest.raises(errors.ServiceUnreachable, match=r"failed: .*eof"),
    ):
        Client(url, key=KEY).create_schedule({})
