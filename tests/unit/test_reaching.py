"""A host is reached at the first of its addresses that answers."""

import socket
import time
from collections.abc import Sequence

import pytest

from crony.reaching import Address, addresses_of, reached


def at(host: str, port: int) -> Address:
    return Address(socket.AF_INET, (host, port))


def soon() -> float:
    return time.monotonic() + 10


def names(found: Sequence[Address]) -> list[str]:
    return [address.host for address in found]


def test_an_address_stands_for_itself() -> None:
    assert addresses_of("127.0.0.1", 80) == [at("127.0.0.1", 80)]
    assert names(addresses_of("::1", 80)) == ["::1"]


def test_an_address_that_is_found_twice_is_tried_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [(socket.AF_INET, 0, 0, "", ("192.0.2.1", 80))] * 2
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert names(addresses_of("twice.example", 80)) == ["192.0.2.1"]


def test_a_name_of_other_letters_is_resolved_as_it_is_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def resolve(host: str | bytes, *_: object, **__: object) -> list[object]:
        asked.append(host)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    addresses_of("höme.example", 80)
    addresses_of("home.example", 80)
    # The system encodes a text by itself, and takes bytes as they are.
    assert asked == ["höme.example", b"home.example"]


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example", "ö" * 64])
def test_what_is_no_name_has_no_address(host: str) -> None:
    with pytest.raises((OSError, UnicodeError)):
        addresses_of(host, 80)


def test_an_address_that_refuses_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        # Nobody listens at the first.
        made = reached([at("127.0.0.2", port), at("127.0.0.1", port)], until=soon())
        with made:
            assert made.getpeername() == ("127.0.0.1", port)


def test_a_silent_address_leaves_time_for_the_next() -> None:
    with (
        socket.create_server(("127.0.0.2", 0), backlog=0) as silent,
        socket.create_server(("127.0.0.1", silent.getsockname()[1])) as listener,
        socket.socket() as waiting,
    ):
        port = listener.getsockname()[1]
        # The one place in its queue is taken, so it answers nobody else.
        waiting.connect(("127.0.0.2", port))
        began = time.monotonic()
        made = reached(
            [at("127.0.0.2", port), at("127.0.0.1", port)], until=began + 0.4
        )
        with made:
            assert made.getpeername() == ("127.0.0.1", port)
        assert time.monotonic() - began >= 0.2


def test_what_refused_last_is_what_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        reached([at("127.0.0.1", port)], until=soon())


def test_no_address_and_no_time_are_said() -> None:
    with pytest.raises(OSError, match="no address"):
        reached([], until=soon())
    with pytest.raises(TimeoutError):
        reached([at("127.0.0.1", 80)], until=time.monotonic() - 1)
