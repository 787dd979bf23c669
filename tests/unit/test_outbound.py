"""Which addresses requests may reach that somebody else chose."""

import socket
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest

from crony import errors
from crony.outbound import Rules, connect


def rules_of(allowed: Sequence[str] = ()) -> Rules:
    return Rules(allowed, whose="http tasks", setting="http_allow")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "::1",
        "::",
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fec0::1",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(errors.AddressRefused, match="http_allow"):
        rules_of().check("host.example", address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1"])
def test_public_addresses_may_be_reached(address: str) -> None:
    rules_of().check("host.example", address)


def test_an_allowed_network_may_be_reached_and_no_other() -> None:
    rules = rules_of(["10.1.0.0/16"])
    rules.check("inner.example", "10.1.2.3")
    rules.check("inner.example", "::ffff:10.1.2.3")
    with pytest.raises(errors.AddressRefused):
        rules.check("inner.example", "10.2.0.1")


def test_an_allowed_host_may_have_any_address() -> None:
    rules = rules_of(["Build.Example."])
    rules.check("build.example", "127.0.0.1")
    with pytest.raises(errors.AddressRefused):
        rules.check("notbuild.example", "127.0.0.1")


def test_names_of_loopback_are_refused_by_their_addresses() -> None:
    with pytest.raises(errors.AddressRefused):
        rules_of().resolve("localhost", 80)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
def test_odd_spellings_of_loopback_are_refused(host: str) -> None:
    with pytest.raises((errors.AddressRefused, ConnectionError)):
        rules_of().resolve(host, 80)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "169.254.169.254", "2130706433", "127.1", "fe80::1%a"]
)
def test_an_address_that_is_written_out_is_refused_before_it_is_resolved(
    host: str,
) -> None:
    with pytest.raises(errors.AddressRefused):
        rules_of().check_literal(host)


@pytest.mark.parametrize("host", ["93.184.215.14", "hooks.example", "localhost"])
def test_what_a_name_stands_for_shows_only_when_it_is_resolved(host: str) -> None:
    rules_of().check_literal(host)


def test_a_handshake_that_never_ends_can_be_cut() -> None:
    cut: list[socket.socket] = []

    def shut(opened: socket.socket) -> None:
        cut.append(opened)
        if len(cut) == 2:
            # The one that the handshake will be made on.
            threading.Timer(0.05, socket.socket.shutdown, (opened, 2)).start()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = urlsplit(f"https://127.0.0.1:{silent.getsockname()[1]}/")
        began = time.monotonic()
        with pytest.raises(ConnectionError, match="TLS"):
            connect(url, rules_of(["127.0.0.1"]), shut, seconds=30)
    assert time.monotonic() - began < 10
