"""Which addresses http tasks may reach."""

import pytest

from crony import errors
from crony.worker.tasks.addresses import Rules


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
    with pytest.raises(errors.SandboxFailed, match="http_allow"):
        Rules(()).check("host.example", address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1"])
def test_public_addresses_may_be_reached(address: str) -> None:
    Rules(()).check("host.example", address)


def test_an_allowed_network_may_be_reached_and_no_other() -> None:
    rules = Rules(["10.1.0.0/16"])
    rules.check("inner.example", "10.1.2.3")
    rules.check("inner.example", "::ffff:10.1.2.3")
    with pytest.raises(errors.SandboxFailed):
        rules.check("inner.example", "10.2.0.1")


def test_an_allowed_host_may_have_any_address() -> None:
    rules = Rules(["Build.Example."])
    rules.check("build.example", "127.0.0.1")
    with pytest.raises(errors.SandboxFailed):
        rules.check("notbuild.example", "127.0.0.1")


def test_names_of_loopback_are_refused_by_their_addresses() -> None:
    with pytest.raises(errors.SandboxFailed):
        Rules(()).resolve("localhost", 80)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
def test_odd_spellings_of_loopback_are_refused(host: str) -> None:
    with pytest.raises((errors.SandboxFailed, ConnectionError)):
        Rules(()).resolve(host, 80)
