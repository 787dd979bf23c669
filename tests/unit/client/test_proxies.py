"""Proxies: who is asked for what, and what is said when one is in the way."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest

from crony import errors
from crony.client import Client
from tests.unit.client.test_connection import script
from tests.unit.client.test_transport import KEY, nobody, service

#: Nothing resolves it, so who asks for it asks a proxy.
ELSEWHERE = "crony.invalid"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no proxy named, as the tests' own environment may."""
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)


def elsewhere(scheme: str, host: str = ELSEWHERE) -> Client:
    return Client(f"{scheme}://{host}", key=KEY, timeout=timedelta(seconds=2))


@pytest.mark.usefixtures("bare")
def test_a_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with service((200, {"at": "now"})) as proxy:
        named = proxy.url.replace("http://", "http://some%40body:else@")
        monkeypatch.setenv("HTTP_PROXY", named)
        monkeypatch.setenv("http_proxy", named)
        assert elsewhere("http").stats() == {"at": "now"}
    _, target, headers, _ = proxy.requests[0]
    assert target == f"http://{ELSEWHERE}/stats"
    assert headers["Host"] == ELSEWHERE
    assert headers["Proxy-Authorization"] == "Basic c29tZUBib2R5OmVsc2U="


@pytest.mark.usefixtures("bare")
def test_a_proxy_sees_neither_path_nor_key_of_https(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with service((403, {})) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        said = f"proxy {proxy.url[7:]} does not connect to {ELSEWHERE}:443.* 403"
        with pytest.raises(errors.ServiceUnreachable, match=said):
            elsewhere("https").create_schedule({})
    method, target, headers, _ = proxy.requests[0]
    assert (method, target) == ("CONNECT", f"{ELSEWHERE}:443")
    assert "Authorization" not in headers


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "spared", [f"a.invalid,{ELSEWHERE}", ".invalid", "*", f"{ELSEWHERE}:80"]
)
def test_no_proxy_is_asked_for_what_is_spared(
    spared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service((200, {})) as proxy:
        monkeypatch.setenv("all_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", spared)
        with pytest.raises(errors.ServiceUnreachable):
            elsewhere("http").create_schedule({})
    assert proxy.requests == []


@pytest.mark.usefixtures("bare")
def test_no_proxy_is_asked_for_a_network_that_is_spared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with service((200, {})) as proxy:
        monkeypatch.setenv("all_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "192.0.2.0/25, other.invalid")
        # Addresses that are for books alone: the second one is outside.
        with pytest.raises(errors.ServiceUnreachable):
            Client(
                "http://192.0.2.1:1", key=KEY, timeout=timedelta(milliseconds=100)
            ).create_schedule({})
        assert proxy.requests == []
        elsewhere("http", "192.0.2.129").stats()
    assert len(proxy.requests) == 1


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_is_asked_for_this_machine(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service((200, {})) as seen, service((200, {})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        Client(seen.url.replace("127.0.0.1", host), key=KEY).stats()
    assert (len(seen.requests), len(proxy.requests)) == (1, 0)


@pytest.mark.usefixtures("bare")
def test_a_proxy_of_another_kind_is_not_passed_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with service((200, {})) as seen:
        monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
        port = seen.url.rpartition(":")[2]
        with pytest.raises(errors.ServiceUnreachable, match="not an http:// address"):
            elsewhere("http", f"{socket.gethostname()}:{port}").create_schedule({})
    assert seen.requests == []


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("said", ["http://a:secret@b:x", "http://a:secret@[::1"])
def test_a_proxy_whose_address_is_none_is_no_crash(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", said)
    with pytest.raises(errors.ServiceUnreachable, match="not an http://") as caught:
        elsewhere("http").create_schedule({})
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("bare")
def test_a_proxy_is_asked_for_an_ipv6_address_in_brackets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with service((403, {})) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(errors.ServiceUnreachable):
            elsewhere("https", "[2001:db8::8640]").create_schedule({})
    assert proxy.requests[0][1] == "[2001:db8::8640]:443"


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_asks_for_a_password_is_named_without_one(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service((407, {})) as proxy:
        monkeypatch.setenv("all_proxy", proxy.url.replace("//", "//me:secret@"))
        named = f"proxy {proxy.url[7:]} asks for a name"
        with pytest.raises(errors.ServiceUnreachable, match=named) as caught:
            elsewhere(scheme).create_schedule({})
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("bare")
def test_a_proxy_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    away = nobody()
    monkeypatch.setenv("all_proxy", away.replace("//", "//me:secret@"))
    named = f"{ELSEWHERE} through the proxy {away[7:]};"
    with pytest.raises(errors.ServiceUnreachable, match=named) as caught:
        elsewhere("http").create_schedule({})
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("bare")
def test_a_proxy_that_speaks_something_else_has_sent_nothing_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with script(b"nonsense\r\n\r\n", b"nonsense\r\n\r\n", end=True) as (url, asked):
        monkeypatch.setenv("https_proxy", url)
        both = Client("https://a.invalid,https://b.invalid", key=KEY)
        with pytest.raises(errors.ServiceUnreachable):
            both.create_schedule({})
    # So the next node could be tried.
    assert [request[2:19] for request in asked] == [
        b"CONNECT a.invalid",
        b"CONNECT b.invalid",
    ]
