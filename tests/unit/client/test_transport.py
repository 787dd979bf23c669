"""What every operation has in common, with a real server on a real socket."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crony import errors
from crony.client import Client

KEY = "crony_test"


@dataclass
class Seen:
    """What a server got, and what it answers: status, headers, body."""

    answers: list[tuple[int, dict[str, str], bytes]]
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    #: So many connections are closed without an answer first.
    hang_up: int = 0


@contextmanager
def service(*answers: tuple[int, object], hang_up: int = 0) -> Iterator[Seen]:
    """Run a server that gives these answers, the last one for ever."""
    seen = Seen([_made(status, body) for status, body in answers], hang_up=hang_up)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            if seen.hang_up:
                seen.hang_up -= 1
                self.close_connection = True
                return
            super().handle_one_request()

        def do(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            seen.requests.append((self.command, self.path, dict(self.headers), body))
            many = len(seen.answers) > 1
            status, headers, sent = seen.answers.pop(0) if many else seen.answers[0]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *args: object) -> None:
            pass

        def __getattr__(self, name: str) -> object:
            if name.startswith("do_"):
                return self.do
            raise AttributeError(name)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        seen.url = f"http://127.0.0.1:{running.server_port}"
        running.daemon_threads = True
        running.block_on_close = False
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield seen
        finally:
            running.shutdown()
            thread.join()


def _made(status: int, body: object) -> tuple[int, dict[str, str], bytes]:
    headers = {}
    if isinstance(body, tuple):
        headers, body = body
    if isinstance(body, bytes):
        return status, headers, body
    return status, headers, json.dumps(body).encode()


@contextmanager
def client(seen: Seen, **options: object) -> Iterator[Client]:
    """Yield a client of a server."""
    made = Client(seen.url, key=KEY, **options)  # type: ignore[arg-type]  # as given
    try:
        yield made
    finally:
        made.close()


def test_an_answer_is_returned_as_it_is() -> None:
    with service((200, {"id": "sch_1"})) as seen, client(seen) as crony:
        assert crony.get_schedule("nightly") == {"id": "sch_1"}
    method, path, headers, _ = seen.requests[0]
    assert (method, path) == ("GET", "/schedules/nightly")
    assert headers["Authorization"] == f"Bearer {KEY}"


def test_a_name_is_one_segment_whatever_is_in_it() -> None:
    with service((200, {})) as seen, client(seen) as crony:
        crony.get_schedule("a/b?c#d ü")
    assert seen.requests[0][1] == "/schedules/a%2Fb%3Fc%23d%20%C3%BC"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_never_addresses_another_resource(name: str) -> None:
    with (
        service((200, {})) as seen,
        client(seen) as crony,
        pytest.raises(errors.Refused) as caught,
    ):
        crony.delete_schedule(name)
    assert caught.value.kind == "not-found"
    assert seen.requests == []


def test_a_problem_is_raised_with_its_body_and_patience() -> None:
    problem = {"type": "urn:crony:problem:rate", "detail": "slow down"}
    answer = (429, ({"Retry-After": "7"}, problem))
    with (
        service(answer) as seen,
        client(seen) as crony,
        pytest.raises(errors.Refused, match="slow down") as caught,
    ):
        crony.stats()
    assert caught.value.kind == "rate"
    assert caught.value.status == 429
    assert caught.value.retry_after == timedelta(seconds=7)


def test_what_is_no_service_of_ours_is_said_to_be_none() -> None:
    with (
        service((404, b"<html>")) as seen,
        client(seen) as crony,
        pytest.raises(errors.Refused, match="not a Crony service"),
    ):
        crony.stats()


def test_a_redirect_is_not_followed_with_the_key() -> None:
    with service((200, {})) as other:
        answer = (302, ({"Location": other.url}, b""))
        with (
            service(answer) as seen,
            client(seen) as crony,
            pytest.raises(errors.Refused),
        ):
            crony.stats()
    assert other.requests == []


def test_a_netrc_does_not_replace_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    with service((200, {})) as seen, client(seen) as crony:
        crony.stats()
    assert seen.requests[0][2]["Authorization"] == f"Bearer {KEY}"


def test_a_get_is_repeated_when_the_connection_breaks() -> None:
    with service((200, {"at": "now"}), hang_up=2) as seen, client(seen) as crony:
        assert crony.stats() == {"at": "now"}


def test_a_post_is_repeated_only_with_an_idempotency_key() -> None:
    with service((201, {}), hang_up=1) as seen, client(seen) as crony:
        with pytest.raises(errors.ServiceUnreachable):
            crony.create_schedule({})
        seen.hang_up = 1
        crony.create_schedule({}, idempotency_key="once")
    assert len(seen.requests) == 1
    assert seen.requests[0][2]["Idempotency-Key"] == "once"


def test_repeating_ends() -> None:
    with service((200, {}), hang_up=100) as seen, client(seen) as crony:
        with pytest.raises(errors.ServiceUnreachable):
            crony.stats()
        assert 100 - seen.hang_up == 4


def test_nobody_there_says_what_to_do() -> None:
    with pytest.raises(errors.ServiceUnreachable, match="crony up"):
        Client(nobody(), key=KEY).stats()


def nobody() -> str:
    """Return an address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def several(*urls: str) -> Client:
    return Client(", ".join(urls), key=KEY, timeout=timedelta(milliseconds=500))


def test_the_next_address_is_tried_when_nobody_is_at_the_first() -> None:
    with service((201, {"id": "sch_1"})) as seen:
        crony = several(nobody(), nobody(), seen.url)
        # No node has seen it before, so this may be sent again.
        assert crony.create_schedule({}) == {"id": "sch_1"}
        crony.create_schedule({})
        crony.close()
    assert len(seen.requests) == 2


def test_an_address_that_answers_is_asked_on() -> None:
    with service((200, {})) as first, service((200, {})) as second:
        crony = several(first.url, second.url)
        for _ in range(3):
            crony.stats()
        crony.close()
    assert (len(first.requests), len(second.requests)) == (3, 0)


def test_what_may_have_arrived_is_not_sent_to_another_address() -> None:
    with service((201, {}), hang_up=1) as first, service((201, {})) as second:
        crony = several(first.url, second.url)
        with pytest.raises(errors.ServiceUnreachable):
            crony.create_schedule({})
        assert second.requests == []
        # A later request goes there.
        crony.create_schedule({})
        crony.close()
    assert (len(first.requests), len(second.requests)) == (0, 1)


def test_an_address_that_is_silent_or_ailing_is_left_for_the_next_request() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        service((503, {"title": "no store"})) as ailing,
        service((200, {})) as well,
    ):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        crony = several(url, ailing.url, well.url)
        with pytest.raises(errors.ServiceUnreachable, match="in time"):
            crony.stats()
        with pytest.raises(errors.Refused, match="no store"):
            crony.stats()
        crony.stats()
        crony.close()
    assert len(well.requests) == 1


def test_all_addresses_are_named_when_none_answers() -> None:
    urls = nobody(), nobody()
    with pytest.raises(errors.ServiceUnreachable, match=f"{urls[0]} or {urls[1]}"):
        several(*urls).stats()


def test_an_address_with_https_where_there_is_no_tls_says_so() -> None:
    with service((200, {})) as seen:
        crony = Client(seen.url.replace("http:", "https:"), key=KEY)
        with pytest.raises(errors.ServiceUnreachable) as caught:
            crony.stats()
    assert "does not speak TLS; is it http://" in str(caught.value)
    assert seen.requests == []


def test_a_service_that_is_silent_is_given_up_in_time_and_not_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        crony = Client(url, key=KEY, timeout=timedelta(milliseconds=200))
        with pytest.raises(errors.ServiceUnreachable, match="in time"):
            crony.stats()
        crony.close()
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "ümlaut", " "])
def test_a_damaged_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(errors.Unauthenticated) as caught:
        Client("http://127.0.0.1:1", key=key)
    assert key.strip() == "" or key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("127.0.0.1:8640", "ftp://x", "http://", "http://x?y", "http://x,"),
        *("http://[::1", "http://x:99999", "http://x:abc", "http://x:0"),
        *("http://x y", "http://\u00fc..x"),
    ],
)
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(errors.InvalidSetting):
        Client(url, key=KEY)


@pytest.mark.parametrize("secret", ["secret", "sec,ret", "sec/ret", "sec?ret", "s#c"])
def test_an_address_with_a_password_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(errors.InvalidSetting, match="@") as caught:
        Client(f"http://me:{secret}@127.0.0.1:8640", key=KEY)
    assert secret not in str(caught.value)
    assert "sec" not in str(caught.value)


def test_lists_are_walked_page_by_page() -> None:
    pages = (
        (200, {"items": [{"id": "1"}, {"id": "2"}], "next": "c1"}),
        (200, {"items": [{"id": "3"}], "next": None}),
    )
    with service(*pages) as seen, client(seen) as crony:
        found = [item["id"] for item in crony.each_run(state=["failed", "timed_out"])]
    assert found == ["1", "2", "3"]
    paths = [path for _, path, _, _ in seen.requests]
    first = "/runs?limit=1000&state=failed%2Ctimed_out"
    assert paths == [first, first + "&cursor=c1"]


def test_a_revision_becomes_an_etag() -> None:
    with service((200, {})) as seen, client(seen, tenant="acme") as crony:
        crony.put_schedule("a", {}, if_match=3)
        crony.patch_schedule("a", {"paused": True}, if_match='"4"')
    assert [request[2]["If-Match"] for request in seen.requests] == ['"3"', '"4"']
    assert seen.requests[0][2]["X-Crony-Tenant"] == "acme"
    assert seen.requests[1][2]["Content-Type"] == "application/merge-patch+json"
