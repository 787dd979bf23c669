"""Connections: when one is kept, when it is not, and who is between."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import BinaryIO

import pytest

from crony import errors
from crony.client import Client
from tests.unit.client.test_transport import KEY, client, service

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
EMPTY = HEAD + b"Content-Length: 2\r\n\r\n{}"


@contextmanager
def script(*answers: bytes, end: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """Answer requests, in turn, on as many connections as come; end each if told so.

    Yields the address, and what has been asked on which connection: its number first.
    """
    asked: list[bytes] = []
    left = list(answers)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve(number: int, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while request := whole(stream):
                asked.append(b"%d " % number + request)
                connection.sendall(left.pop(0))
                if end:
                    return

    def accept() -> None:
        number = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            number += 1
            threading.Thread(
                target=serve, args=(number, connection), daemon=True
            ).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def whole(stream: BinaryIO) -> bytes:
    """Read one request, which may come in pieces."""
    head = b""
    while line := stream.readline():
        head += line
        if line == b"\r\n":
            break
    found = re.search(rb"Content-Length: (\d+)", head)
    return head + stream.read(int(found[1]) if found else 0)


def test_a_connection_is_kept_for_the_next_request() -> None:
    with script(EMPTY, EMPTY) as (url, asked):
        crony = Client(url, key=KEY)
        crony.stats()
        crony.create_schedule({"name": "a"})
        crony.close()
    assert [request[:6] for request in asked] == [b"1 GET ", b"1 POST"]


def test_a_kept_connection_that_was_closed_is_not_used_for_what_goes_once() -> None:
    with script(EMPTY, EMPTY, end=True) as (url, asked):
        crony = Client(url, key=KEY)
        crony.stats()
        # The other side's end has come by the time that the next thread has started.
        kept = crony._node()._kept[0]
        kept.settimeout(5)
        assert kept.recv(1, socket.MSG_PEEK) == b""
        crony.create_schedule({"name": "a"})
        crony.close()
    assert [request[:6] for request in asked] == [b"1 GET ", b"2 POST"]


def test_requests_beside_a_stream_have_a_connection_of_their_own() -> None:
    begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
    with script(begun, EMPTY, EMPTY) as (url, asked):
        crony = Client(url, key=KEY)
        stream = crony.follow_log("run_1")
        assert next(stream) == b"one"
        crony.stats()
        crony.stats()
        crony.close()
        stream.close()  # type: ignore[attr-defined]  # it is a generator
    assert [request[:2] for request in asked] == [b"1 ", b"2 ", b"2 "]


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 9\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"",
    ],
)
def test_an_answer_that_breaks_off_is_none(answer: bytes) -> None:
    with script(answer, end=True) as (url, _):
        crony = Client(url, key=KEY)
        with pytest.raises(errors.ServiceUnreachable, match="no answer from"):
            crony.create_schedule({})


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
    ],
)
def test_a_stream_that_breaks_off_says_so_behind_what_came(answer: bytes) -> None:
    with script(answer, end=True) as (url, _):
        came = []
        with pytest.raises(errors.ServiceUnreachable):
            came.extend(Client(url, key=KEY).follow_log("run_1"))
    with script(answer, end=True) as (url, _):
        assert next(Client(url, key=KEY).follow_log("run_1")) == b"one"


def test_a_stream_of_known_length_ends_without_a_wait() -> None:
    with script(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none") as (url, _):
        assert b"".join(Client(url, key=KEY).follow_log("run_1")) == b"one"


def test_what_refuses_a_body_before_its_end_is_heard() -> None:
    refusal = b'{"type": "urn:crony:problem:too-large", "title": "Too large"}'
    answer = b"HTTP/1.1 413 X\r\nContent-Length: %d\r\n\r\n" % len(refusal) + refusal
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(10)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            # As a server does that lingers: what is still sent is not a reset yet.
            connection.recv(10)

    thread = threading.Thread(target=refuse)
    thread.start()
    with listener:
        crony = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", key=KEY)
        with pytest.raises(errors.Refused, match="Too large"):
            crony.create_schedule({"name": "a" * 1000})
        thread.join()


@pytest.mark.parametrize("status", [102, 103, 101])
def test_an_answer_that_is_only_a_beginning_is_nobody_elses(status: int) -> None:
    early = b"HTTP/1.1 %d Early\r\n\r\n" % status
    with script(early + EMPTY, HEAD + b'Content-Length: 7\r\n\r\n{"a":1}') as (
        url,
        asked,
    ):
        crony = Client(url, key=KEY)
        with pytest.raises(errors.ServiceUnreachable):
            crony.create_schedule({})
        assert crony.stats() == {"a": 1}
        crony.close()
    assert [request[:2] for request in asked] == [b"1 ", b"2 "]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1000000000000000000000000000000\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nx\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_an_answer_of_an_impossible_length_is_none(head: bytes) -> None:
    with (
        script(b"HTTP/1.1 200 OK\r\n" + head, end=True) as (url, _),
        pytest.raises(errors.ServiceUnreachable),
    ):
        Client(url, key=KEY).create_schedule({})


def test_patience_that_nobody_can_count_is_a_day() -> None:
    answer = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\nRetry-After: " + b"9" * 5000
    with (
        script(answer + b"\r\n\r\n") as (url, _),
        pytest.raises(errors.Refused) as caught,
    ):
        Client(url, key=KEY).create_schedule({})
    assert caught.value.retry_after == timedelta(days=1)


@pytest.mark.parametrize("tenant", ["a\r\nHost: b", "a\r\n folded", "a\0b", "b\u0436"])
def test_a_header_that_can_not_be_sent_is_refused_by_its_name(tenant: str) -> None:
    with (
        service((200, {})) as seen,
        client(seen, tenant=tenant) as crony,
        pytest.raises(errors.InvalidParameter, match="X-Crony-Tenant") as caught,
    ):
        crony.stats()
    assert tenant not in str(caught.value)
    assert seen.requests == []


def test_a_path_of_the_address_stays_in_front() -> None:
    with service((200, {})) as seen:
        Client(f"{seen.url}/höme/", key=KEY).stats()
    assert seen.requests[0][1] == "/h%C3%B6me/stats"
