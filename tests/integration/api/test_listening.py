"""Where the service listens, and behind which safeguards; TLS, and who trusts it."""

from __future__ import annotations

import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests

from crony import config, errors
from crony.api.server import check_safeguards, listen, serve
from crony.client import Client
from crony.testing.service import free_port, running_service
from tests.integration.api.connecting import connected, everything


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "192.0.2.1:80", "[::]:0", "host:80"])
def test_a_bind_outside_loopback_needs_tls_or_its_consent(bind: str) -> None:
    given = settings(bind=bind)
    with pytest.raises(errors.MissingSafeguard, match="--insecure-bind"):
        check_safeguards(given.api)
    check_safeguards(settings(bind=bind, insecure_bind="true").api)


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "localhost:80", "[::1]:0"])
def test_a_bind_on_loopback_needs_nothing(bind: str) -> None:
    check_safeguards(settings(bind=bind).api)


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.touch()
    given = settings(bind="0.0.0.0:0", tls_cert=str(certificate))
    with pytest.raises(errors.MissingSafeguard, match="--tls-key"):
        check_safeguards(given.api)


def test_a_taken_port_is_said_in_one_line() -> None:
    port = free_port()
    with (
        listen(f"127.0.0.1:{port}"),
        pytest.raises(errors.InvalidSetting, match=f"127.0.0.1:{port}"),
    ):
        listen(f"127.0.0.1:{port}")


def test_a_home_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    with pytest.raises(errors.MissingSafeguard, match="chmod 700"):
        serve(settings(bind="127.0.0.1:0"), environ={"CRONY_HOME": str(home)})


def test_the_client_trusts_whom_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = self_signed(tmp_path)
    paths = {"tls_cert": str(certificate), "tls_key": str(key)}
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with running_service(tmp_path / "home", verify=certificate, **paths) as service:
        with (
            closing(Client(service.url, key=service.admin_key)) as client,
            pytest.raises(errors.ServiceUnreachable, match="is not trusted"),
        ):
            client.create_schedule({"name": "a"})
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with closing(Client(service.url, key=service.admin_key)) as client:
            assert [client.stats()["at"] for _ in range(2)]


def test_with_a_certificate_it_speaks_tls(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    home = tmp_path / "home"
    paths = {"tls_cert": str(certificate), "tls_key": str(key)}
    with running_service(home, verify=certificate, **paths) as service:
        assert service.url.startswith("https://")
        answer = requests.get(
            service.url + "/stats", headers=service.headers, verify=str(certificate)
        )
        assert answer.status_code == 200
        with connected(service) as plain:
            plain.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" not in everything(plain)
        with requests.Session() as kept:
            kept.get(service.url + "/health/live", verify=str(certificate))
            started = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - started < 8


def self_signed(folder: Path, *, name: str = "IP:127.0.0.1") -> tuple[Path, Path]:
    """Make a certificate for a name and its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=Crony"),
            *("-addext", f"subjectAltName={name}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def settings(**api: str) -> config.Settings:
    overrides: dict[tuple[str, str], object] = {
        ("api", key): value for key, value in api.items()
    }
    return config.load(path=None, environ={}, overrides=overrides)
