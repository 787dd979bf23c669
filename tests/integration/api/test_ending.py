"""How the service ends: what is under way is answered, what was answered survives."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.measuring.processes import family
from crony.testing.service import ServiceProcess, running_service
from tests.integration.api.caller import ECHO, Caller, unique
from tests.integration.api.connecting import connected, everything
from tests.integration.api.test_polls import until


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


def processes_of(service: ServiceProcess) -> list[int]:
    """Return the processes that answer requests."""
    number = service.process.pid
    children = Path(f"/proc/{number}/task/{number}/children").read_text()
    return [int(child) for child in children.split()]


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
