"""Requests of http tasks, with real servers on loopback."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crony import errors
from crony.outbound import Rules
from crony.worker.tasks.request import (
    Request,
    Response,
    as_expected,
    exchange,
)

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(answer: Answer, *, address: str = "127.0.0.1") -> Iterator[str]:
    """Run a server; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer((address, 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://{address}:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


def reply(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> Answer:
    """Return an answer that is always the same."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def get(url: str, *, allowed: str = "127.0.0.1/32", **headers: str) -> Response:
    """Make a GET request by the rules."""
    request = Request("GET", url, headers, None)
    rules = Rules([allowed], whose="http tasks", setting="http_allow")
    return exchange(request, rules, lambda _: None)


def test_status_and_body_are_the_result() -> None:
    with server(reply(201, "grün".encode())) as url:
        assert get(url).result() == {"status": 201, "body": "grün"}


def test_loopback_is_refused_unless_allowed() -> None:
    with server(reply(200)) as url, pytest.raises(errors.AddressRefused):
        get(url, allowed="10.0.0.0/8")


def test_a_redirect_to_a_forbidden_address_is_not_followed() -> None:
    reached = threading.Event()

    def inner(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        reply(200)(handler)

    with server(inner, address="127.0.0.2") as secret:
        outer = reply(302, headers={"Location": secret})
        with server(outer) as url, pytest.raises(errors.AddressRefused):
            get(url)
    assert not reached.is_set()


def test_a_redirect_is_followed_and_keeps_credentials_at_home() -> None:
    seen: list[str | None] = []

    def target(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers.get("Authorization"))
        reply(200, b"there")(handler)

    with (
        server(target) as elsewhere,
        server(reply(307, headers={"Location": elsewhere})) as url,
    ):
        response = get(url, Authorization="Bearer secret")
    assert response.body == "there"
    assert seen == [None]


def test_a_circle_of_redirects_ends() -> None:
    with (
        server(reply(302, headers={"Location": "/again"})) as url,
        pytest.raises(ConnectionError, match="redirects"),
    ):
        get(url)


def test_a_large_body_is_cut_so_that_the_result_fits() -> None:
    with server(reply(200, b"\x01" * 1_000_000)) as url:
        response = get(url)
    assert 0 < len(response.body) < 64 << 10


def test_nobody_listening_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionError, match=str(port)):
        get(f"http://127.0.0.1:{port}")


def test_somebody_elses_protocol_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises(ConnectionError, match="no answer"):
            get(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()


@pytest.mark.parametrize(
    ("status", "expected"), [(200, "2xx"), (299, "2xx"), (404, "404"), (404, "4xx")]
)
def test_a_status_may_be_expected_by_class_or_number(
    status: int, expected: str
) -> None:
    assert as_expected(status, expected)


@pytest.mark.parametrize(("status", "expected"), [(404, "2xx"), (204, "200")])
def test_another_status_is_not_expected(status: int, expected: str) -> None:
    assert not as_expected(status, expected)


@pytest.mark.parametrize("target", ["http://[::1/", "http://host:99999/", "//a:b/"])
def test_a_redirect_to_what_is_no_url_ends_the_request(target: str) -> None:
    with (
        server(reply(302, headers={"Location": target})) as url,
        pytest.raises(ConnectionError, match="no URL"),
    ):
        get(url)


def test_an_answer_that_is_cut_off_is_none() -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")

    with server(cut) as url, pytest.raises(ConnectionError, match="cut off"):
        get(url)
