"""The service as a process: what faces strangers, how it ends, what survives."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import requests

from bench.measuring.processes import family
from crony import config, errors
from crony.api.server import check_safeguards, listen, serve
from crony.client import Client
from crony.testing.service import ServiceProcess, free_port, running_service
from tests.integration.api.caller import ECHO, Caller, Worker, unique
from tests.integration.api.test_polls import until


@contextmanager
def connected(service: ServiceProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as end:
        yield end


def everything(end: socket.socket) -> bytes:
    """Return what is received until the service closes."""
    received = b""
    while piece := end.recv(65536):
        received += piece
    return received


def problem(raw: bytes) -> tuple[int, str]:
    """Return status and type of a raw answer, which must be a problem."""
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in head
    said = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % said["status"])
    return said["status"], said["type"].removeprefix("urn:crony:problem:")


#: By name: the bytes, and the problem they are.
NOT_HTTP = {
    "words": (b"nonsense\r\n\r\n", (400, "malformed-request")),
    "version": (b"GET / HTTP/9.9\r\n\r\n", (400, "malformed-request")),
    "long address": (
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        (414, "uri-too-long"),
    ),
    "long header": (
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n",
        (431, "headers-too-large"),
    ),
    "many headers": (
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: a\r\n" * 200 + b"\r\n",
        (431, "headers-too-large"),
    ),
    "length": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        (400, "malformed-request"),
    ),
    "endless length": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        (400, "malformed-request"),
    ),
    "two lengths": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        (400, "malformed-request"),
    ),
    "coding": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n",
        (501, "unsupported-coding"),
    ),
}


@pytest.mark.parametrize("name", NOT_HTTP)
def test_what_is_not_http_is_answered_with_a_problem(
    service: ServiceProcess, name: str
) -> None:
    raw, expected = NOT_HTTP[name]
    with connected(service) as end:
        end.sendall(raw)
        assert problem(everything(end)) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /runs?a=\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET http://x/schedules HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /runs HTTP/1.1\r\nHost: x\r\nAuthorization: \xff\r\n"
        b"Connection: close\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nAccept: \xff;;q=\r\n"
        b"Connection: close\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: upgrade, close\r\n\r\n",
        b"GET /schedules HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:60]),
)
def test_odd_requests_are_never_the_services_fault(
    service: ServiceProcess, raw: bytes
) -> None:
    with connected(service) as end:
        end.sendall(raw)
        answer = everything(end)
    assert answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4")), answer


def test_headers_that_come_too_slowly_end_the_connection(
    service: ServiceProcess,
) -> None:
    with connected(service) as silent, connected(service) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        started = time.monotonic()
        # Each byte in time, and all of them too late.
        trickle = threading.Thread(target=_trickle, args=(slow,))
        trickle.start()
        assert problem(everything(slow)) == (408, "timeout")
        assert problem(everything(silent)) == (408, "timeout")
        assert time.monotonic() - started < 10
        trickle.join()


def _trickle(end: socket.socket) -> None:
    stop = threading.Event()
    for _ in range(50):
        try:
            end.sendall(b"A")
        except OSError:
            return
        stop.wait(0.1)


def test_a_body_that_ends_early_creates_nothing(
    service: ServiceProcess, tenant: Caller
) -> None:
    body = json.dumps({"name": "cut", "every": "1h", "task": ECHO}).encode()
    head = (
        f"POST /schedules HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.key}\r\n"
        f"X-Crony-Tenant: {tenant.headers['X-Crony-Tenant']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body) + 10}\r\n\r\n"
    )
    with connected(service) as end:
        end.sendall(head.encode() + body)
        end.shutdown(socket.SHUT_WR)
        everything(end)
    assert tenant("GET", "/schedules/cut").status_code == 404


def test_more_connections_than_the_bound_are_refused(tmp_path: Path) -> None:
    with running_service(tmp_path / "home", max_connections="8") as service:
        ends = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(8)]
        with connected(service) as one_more:
            assert problem(everything(one_more)) == (503, "overloaded")
        for end in ends:
            end.close()
        deadline = time.monotonic() + 10
        while True:
            with connected(service) as end:
                end.sendall(
                    b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                )
                if everything(end).startswith(b"HTTP/1.1 200"):
                    break
            assert time.monotonic() < deadline


def test_a_second_signal_does_not_cut_the_end_short(tmp_path: Path) -> None:
    with running_service(tmp_path / "home") as service:
        head, body = creation(service)
        with connected(service) as end:
            end.sendall(head + body[:10])
            # All processes get it, and the one that answers once more from its
            # supervisor.
            os.killpg(service.process.pid, signal.SIGTERM)
            until(lambda: not listens(service))
            os.killpg(service.process.pid, signal.SIGTERM)
            end.sendall(body[10:])
            assert everything(end).startswith(b"HTTP/1.1 201 ")
        assert service.process.wait(timeout=20) == 0
    said = service.log.read_text()
    assert "event=stopped" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("send", [os.killpg, os.kill], ids=["all", "supervisor"])
def test_ctrl_c_ends_as_sigterm_does(
    send: Callable[[int, int], None], tmp_path: Path
) -> None:
    with running_service(tmp_path / "home") as service:
        head, body = creation(service)
        with connected(service) as end:
            end.sendall(head + body[:10])
            # A terminal sends it to all processes.
            send(service.process.pid, signal.SIGINT)
            until(lambda: not listens(service))
            end.sendall(body[10:])
            assert everything(end).startswith(b"HTTP/1.1 201 ")
        assert service.process.wait(timeout=20) == 0
    assert "event=stopped" in service.log.read_text()


def test_a_request_that_came_just_before_the_signal_is_answered(tmp_path: Path) -> None:
    with running_service(tmp_path / "home") as service:
        head, body = creation(service)
        _, worker = family(service.process.pid)
        # It finds both, the request and the signal, when it goes on.
        os.kill(worker, signal.SIGSTOP)
        with connected(service) as end:
            end.sendall(head + body)
            os.killpg(service.process.pid, signal.SIGTERM)
            os.kill(worker, signal.SIGCONT)
            assert everything(end).startswith(b"HTTP/1.1 201 ")
        assert service.process.wait(timeout=20) == 0


def test_a_signal_after_the_supervisor_was_killed_cuts_nothing_short(
    tmp_path: Path,
) -> None:
    with running_service(tmp_path / "home") as service:
        head, body = creation(service)
        _, worker = family(service.process.pid)
        watch = os.pidfd_open(worker)
        with connected(service) as end:
            end.sendall(head + body[:10])
            service.process.kill()
            service.process.wait()
            # It finds out by itself, and begins to end.
            until(lambda: not listens(service))
            os.kill(worker, signal.SIGTERM)
            # What it has cut short by then would be closed.
            assert select.select([end], [], [], 0.5)[0] == []
            end.sendall(body[10:])
            assert everything(end).startswith(b"HTTP/1.1 201 ")
        assert select.select([watch], [], [], 20)[0]
        os.close(watch)
    assert "event=stopped" in service.log.read_text()


def creation(service: ServiceProcess) -> tuple[bytes, bytes]:
    """Return a request that creates a schedule: its head, and its body."""
    body = json.dumps({"name": "last", "every": "1h", "task": ECHO}).encode()
    head = (
        f"POST /schedules HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {service.admin_key}\r\n"
        "Content-Type: application/json\r\n\r\n"
    )
    return head.encode(), body


def listens(service: ServiceProcess) -> bool:
    """Whether new connections are taken."""
    try:
        connected_once = socket.create_connection(("127.0.0.1", service.port), 5)
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    connected_once.close()
    return True


def test_sigterm_answers_what_waits_and_ends_at_once(tmp_path: Path) -> None:
    with running_service(tmp_path / "home") as service:
        admin = Caller(service.url, service.admin_key)
        workers = [admin.worker() for _ in range(5)]
        answers: list[int] = []

        def poll(index: int) -> None:
            answers.append(workers[index].poll(wait="60s").status_code)

        threads = [threading.Thread(target=poll, args=(n,)) for n in range(5)]
        for thread in threads:
            thread.start()
        while b"crony_waiting_polls 5.0" not in admin("GET", "/metrics").content:
            assert all(thread.is_alive() for thread in threads)
        with connected(service) as idle:
            started = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - started < 5
            assert everything(idle) == b""
        for thread in threads:
            thread.join()
    assert answers == [200] * 5


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    home = tmp_path / "home"
    acknowledged: list[str] = []
    service_is_gone = threading.Event()
    with running_service(home) as service:
        admin = Caller(service.url, service.admin_key)

        def create() -> None:
            while not service_is_gone.is_set():
                name = unique("s")
                try:
                    body = {"name": name, "every": "1h", "task": ECHO}
                    answer = admin("POST", "/schedules", body)
                except OSError:
                    return
                assert answer.status_code == 201
                acknowledged.append(name)

        writers = [threading.Thread(target=create) for _ in range(4)]
        for writer in writers:
            writer.start()
        while len(acknowledged) < 40:
            assert any(writer.is_alive() for writer in writers)
        service.kill()
        service_is_gone.set()
        for writer in writers:
            writer.join()
    with running_service(home) as service:
        assert Caller(service.url, service.admin_key).key == admin.key
        admin = Caller(service.url, service.admin_key)
        for name in acknowledged:
            assert admin("GET", f"/schedules/{name}").status_code == 200
        assert len(admin.got("/keys")["items"]) == 1


def test_several_processes_wake_each_other(tmp_path: Path) -> None:
    with running_service(tmp_path / "home", processes="3") as service:
        admin = Caller(service.url, service.admin_key)
        worker = admin.worker()
        answers: list[requests.Response] = []
        for number in range(8):
            held = [{"run": x["run"], "token": x["token"]} for x in leases(answers)]
            poll = threading.Thread(target=polled, args=(worker, held, answers))
            poll.start()
            admin.schedule(at="now", queue=worker.queue)
            poll.join(timeout=10)
            assert len(leases(answers)) == number + 1
            worker.report(leases(answers)[-1], state="running")
        assert service.stop() == 0


def polled(
    worker: Worker,
    held: list[dict[str, object]],
    answers: list[requests.Response],
) -> None:
    answers.append(worker.poll(wait="30s", holding=held))


def leases(answers: list[requests.Response]) -> list[dict[str, object]]:
    return [lease for answer in answers for lease in answer.json()["leases"]]


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


def processes_of(service: ServiceProcess) -> list[int]:
    """Return the processes that answer requests."""
    number = service.process.pid
    children = Path(f"/proc/{number}/task/{number}/children").read_text()
    return [int(child) for child in children.split()]


def test_many_may_connect_while_the_service_is_busy(tmp_path: Path) -> None:
    with running_service(tmp_path / "home") as service, ExitStack() as opened:
        (child,) = processes_of(service)
        os.kill(child, signal.SIGSTOP)
        try:
            for _ in range(300):
                opened.enter_context(
                    socket.create_connection(("127.0.0.1", service.port), timeout=5)
                )
        finally:
            os.kill(child, signal.SIGCONT)


def test_nothing_is_left_when_the_supervising_process_is_killed(
    tmp_path: Path,
) -> None:
    with running_service(tmp_path / "home") as service:
        admin = Caller(service.url, service.admin_key)
        worker = admin.worker()
        polled: list[int] = []
        poll = threading.Thread(
            target=lambda: polled.append(worker.poll(wait="60s").status_code)
        )
        poll.start()
        until(lambda: "crony_waiting_polls 1.0" in admin("GET", "/metrics").text)
        (child,) = processes_of(service)
        end = os.pidfd_open(child)
        try:
            service.process.kill()
            service.process.wait()
            assert select.select([end], [], [], 8)[0], "it waits for the poll"
        finally:
            os.close(end)
        poll.join()
        assert polled == [200]
