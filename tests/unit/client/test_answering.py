"""An answer is read as it comes, and no further than to its end."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from crony.client.answering import Incoming, Patience
from crony.client.failing import Broken

OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def coming(*parts: bytes) -> Iterator[Incoming]:
    """Yield an answer of which all is there, and behind which nothing more comes."""
    near, far = socket.socketpair()
    with near, far:
        for part in parts:
            far.sendall(part)
        far.shutdown(socket.SHUT_WR)
        yield Incoming(near, Patience(time.monotonic() + 10))


def body_of(answer: Incoming) -> bytes:
    answer.begin()
    return b"".join(answer.pieces())


def test_a_body_of_known_length_leaves_the_connection_open() -> None:
    with coming(OK + b"Content-Length: 3\r\n\r\none") as answer:
        assert body_of(answer) == b"one"
        assert (answer.status, answer.leaves_it_open) == (200, True)


def test_chunks_and_what_stands_behind_them_are_no_headers() -> None:
    with coming(
        OK + b"Transfer-Encoding: chunked\r\nA: 1\r\n\r\n3\r\none\r\n",
        b"3\r\ntwo\r\n0\r\nA: 2\r\nB: 3\r\n\r\n",
    ) as answer:
        assert body_of(answer) == b"onetwo"
        assert answer.headers == {"transfer-encoding": "chunked", "a": "1"}
        assert answer.leaves_it_open


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    with coming(OK + b"\r\n", b"all of it") as answer:
        assert body_of(answer) == b"all of it"
        assert not answer.leaves_it_open


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 204 No\r\n", OK + b"Content-Length: 0\r\n"]
)
def test_an_empty_body_is_waited_for_no_longer(head: bytes) -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(head + b"\r\n")
        answer = Incoming(near, Patience(time.monotonic() + 10))
        assert body_of(answer) == b""
        assert answer.leaves_it_open


@pytest.mark.parametrize("said", [b"Connection: close\r\n", b""])
def test_who_closes_is_not_asked_again(said: bytes) -> None:
    version = b"HTTP/1.1" if said else b"HTTP/1.0"
    head = version + b" 200 OK\r\n" + said + b"Content-Length: 3\r\n\r\n"
    with coming(head + b"one") as answer:
        assert body_of(answer) == b"one"
        assert not answer.leaves_it_open


def test_the_answer_behind_a_go_ahead_is_the_answer() -> None:
    with coming(
        b"HTTP/1.1 100 Continue\r\nA: 1\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\none"
    ) as answer:
        assert body_of(answer) == b"one"
        assert (answer.status, answer.headers) == (200, {"content-length": "3"})
        assert answer.leaves_it_open


def test_what_follows_an_answer_is_nobodys() -> None:
    whole = OK + b"Content-Length: 3\r\n\r\none"
    for more in (whole.replace(b"one", b"two"), b"garbage"):
        with coming(whole + more) as answer:
            assert body_of(answer) == b"one"
            assert not answer.leaves_it_open


def test_a_header_that_comes_twice_is_one_with_a_comma() -> None:
    with coming(OK + b"A: 1\r\na: 2\r\nContent-Length: 0\r\n\r\n") as answer:
        answer.begin()
        assert answer.headers["a"] == "1, 2"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200",
        OK + b"A: 1\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 xyz\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"A: " + b"a" * 200_000,
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with coming(raw) as answer, pytest.raises(Broken):
        body_of(answer)


def test_what_came_before_an_answer_broke_off_is_had_first() -> None:
    for rest in (b"", b"zz\r\n"):
        with coming(
            OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n" + rest
        ) as answer:
            answer.begin()
            pieces = answer.pieces()
            assert next(pieces) == b"one"
            with pytest.raises(Broken):
                next(pieces)
