"""Networks that are made ahead: one for each slot, and empty for each run."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from crony.worker.sandbox import linux, networks
from crony.worker.sandbox.leash import Leash
from crony.worker.sandbox.networks import Networks
from crony.worker.sandbox.spawner import Spawner

Within = Callable[[int, Callable[[], int]], int]


@pytest.fixture
def within() -> Iterator[Within]:
    """Call something in the network of a slot, on a spawner's thread."""
    spawner = Spawner(Leash())
    made = spawner.call(Networks)
    yield lambda slot, call: spawner.call(lambda: made.within(slot, call))
    made.close()
    spawner.close()


def which() -> int:
    """Return what tells networks apart."""
    return os.stat("/proc/thread-self/ns/net").st_ino


def test_runs_of_a_slot_share_a_network_and_those_of_others_do_not(
    within: Within,
) -> None:
    first, again, other = within(1, which), within(1, which), within(2, which)
    assert first == again
    assert len({first, other, which()}) == 3


def test_the_thread_is_back_in_the_host_s_network_whatever_happens(
    within: Within,
) -> None:
    def fail() -> int:
        raise ZeroDivisionError

    before = os.stat("/proc/self/ns/net").st_ino
    with pytest.raises(ZeroDivisionError):
        within(1, fail)
    assert within(1, which) != before
    assert os.stat("/proc/self/ns/net").st_ino == before


def test_a_network_in_which_a_connection_is_remembered_is_replaced(
    within: Within,
) -> None:
    def talk() -> int:
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            served, _ = server.accept()
            # Whoever closes first remembers it for a minute.
            client.close()
            served.close()
        return which()

    first = within(1, talk)
    assert within(1, which) != first


@pytest.mark.parametrize("kind", ["listener", "unbound", "abstract", "datagrams"])
def test_a_network_of_which_somebody_has_a_socket_is_replaced(
    within: Within, kind: str
) -> None:
    left: list[socket.socket] = []

    def leave() -> int:
        if kind == "listener":
            left.append(socket.create_server(("127.0.0.1", 0)))
        elif kind == "abstract":
            left.append(socket.socket(socket.AF_UNIX))
            left[0].bind("\0crony-test")
            left[0].listen()
        else:
            kinds = {"unbound": socket.SOCK_STREAM, "datagrams": socket.SOCK_DGRAM}
            left.append(socket.socket(socket.AF_INET, kinds[kind]))
        return which()

    first = within(1, leave)
    assert within(1, which) != first
    left[0].close()


def test_a_host_that_can_t_come_back_has_none_and_its_thread_stays_at_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: int) -> None:
        raise PermissionError

    spawner = Spawner(Leash())
    monkeypatch.setattr(linux, "enter_network", refuse)
    assert not spawner.prepare_networks()
    assert spawner.call(which) == os.stat("/proc/self/ns/net").st_ino
    spawner.close()


def test_a_kernel_without_ipv6_has_networks_too(
    within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "_COUNTS_V6", "/proc/self/net/not-there")
    assert within(1, which) == within(1, which)
