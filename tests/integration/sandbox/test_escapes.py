"""Attacks on the host: each succeeds where nothing confines it, and fails else.

The level ``none``, run by a plain user, is the control: without it a broken attack
would look like a good wall.
"""

import json
import os
import platform
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.attacks import attack
from tests.integration.sandbox.stand import PLAIN_UID, SECRET, Stand

_X86 = platform.machine() == "x86_64"
_CALLS = {
    "ptrace": 101 if _X86 else 117,
    "add_key": 248 if _X86 else 217,
    "ioctl": 16 if _X86 else 29,
}


def breaches(stand: Stand, name: str, /, **given: object) -> list[str]:
    """Run an attack; give what it got."""
    result = stand.python(attack(name), json.dumps(given | _CALLS))
    assert "Traceback" not in result.err, result.err
    assert result.exit_code is not None or result.oom, result
    return [line for line in result.out.splitlines() if line.startswith("breach")]


class TestFiles:
    def test_the_worker_s_key_is_read_where_nothing_confines(
        self, unconfined: Stand
    ) -> None:
        assert breaches(unconfined, "read_key", key=str(_key(unconfined)))

    def test_the_worker_s_key_can_not_be_read(self, guarded: Stand) -> None:
        assert not breaches(guarded, "read_key", key=str(_key(guarded)))

    def test_files_are_written_outside_where_nothing_confines(
        self, unconfined: Stand, open_place: Path
    ) -> None:
        assert breaches(unconfined, "write_outside", places=[str(open_place)])

    def test_nothing_is_written_outside(self, guarded: Stand, open_place: Path) -> None:
        places = [str(open_place), "/", "/usr", "/usr/local", "/etc", "/var/tmp"]
        places += ["/dev", "/proc", "/home", "/root", "/run"]
        assert not breaches(guarded, "write_outside", places=places)
        assert list(open_place.iterdir()) == []

    def test_another_run_s_workspace_is_found_where_nothing_confines(
        self, unconfined: Stand
    ) -> None:
        assert _looks_at_neighbour(unconfined)

    def test_another_run_s_workspace_is_out_of_reach(self, guarded: Stand) -> None:
        assert not _looks_at_neighbour(guarded)


def _key(stand: Stand) -> Path:
    path = stand.state_dir / "credentials"
    path.write_text("the-key")
    path.chmod(0o600)
    if stand.plain and os.geteuid() == 0:
        os.chown(path, PLAIN_UID, PLAIN_UID)
    return path


def _looks_at_neighbour(stand: Stand) -> list[str]:
    other = stand.prepare("/bin/cat", files={"secret-of-another": "x"}, slot=2)
    stand.tell("release", key=other)
    try:
        return breaches(stand, "other_workspace", workspaces="/")
    finally:
        stand.tell("kill", key=other)
        stand.wait(other)


@pytest.fixture
def open_place() -> Iterator[Path]:
    """Make a folder in which everybody may write, reachable by everybody."""
    place = Path(f"/var/tmp/crony-open-{os.getpid()}")
    place.mkdir()
    place.chmod(0o777)
    yield place
    for left in place.iterdir():
        left.unlink()
    place.rmdir()


class TestNetwork:
    def test_the_host_s_loopback_is_reached_where_nothing_confines(
        self, unconfined: Stand, port: int
    ) -> None:
        assert breaches(unconfined, "connect", port=port)

    def test_the_host_s_loopback_is_out_of_reach(
        self, guarded: Stand, port: int
    ) -> None:
        assert not breaches(guarded, "connect", port=port)

    def test_an_abstract_socket_is_reached_where_nothing_confines(
        self, unconfined: Stand, abstract: str
    ) -> None:
        assert breaches(unconfined, "abstract_socket", abstract=abstract)

    def test_an_abstract_socket_of_the_host_is_out_of_reach(
        self, confined: Stand, abstract: str
    ) -> None:
        assert not breaches(confined, "abstract_socket", abstract=abstract)

    def test_odd_socket_families_reach_the_kernel_where_nothing_confines(
        self, unconfined: Stand
    ) -> None:
        assert breaches(unconfined, "socket_families")

    def test_odd_socket_families_do_not_reach_the_kernel(self, guarded: Stand) -> None:
        assert not breaches(guarded, "socket_families")


@pytest.fixture
def port() -> Iterator[int]:
    """Listen on the host's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def abstract() -> Iterator[str]:
    """Listen on an abstract name."""
    name = f"crony-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        yield name


class TestProcesses:
    def test_processes_of_the_host_are_seen_where_nothing_confines(
        self, unconfined: Stand, victim: subprocess.Popen[bytes]
    ) -> None:
        assert breaches(unconfined, "see_processes", marker="86399")

    def test_processes_of_the_host_are_not_seen(
        self, confined: Stand, victim: subprocess.Popen[bytes]
    ) -> None:
        assert not breaches(confined, "see_processes", marker="86399")

    def test_processes_of_the_host_are_signalled_where_nothing_confines(
        self, unconfined: Stand, victim: subprocess.Popen[bytes]
    ) -> None:
        assert breaches(unconfined, "signal_process", victim=victim.pid)
        assert victim.wait(timeout=10) == -signal.SIGUSR1

    def test_processes_of_the_host_are_not_signalled(
        self, guarded: Stand, victim: subprocess.Popen[bytes]
    ) -> None:
        assert not breaches(guarded, "signal_process", victim=victim.pid)
        assert victim.poll() is None

    def test_the_worker_s_environment_is_read_where_nothing_confines(
        self, unconfined: Stand
    ) -> None:
        assert breaches(unconfined, "read_environment", secret=SECRET)

    def test_the_worker_s_environment_is_in_no_process(self, guarded: Stand) -> None:
        assert not breaches(guarded, "read_environment", secret=SECRET)

    def test_the_parent_s_descriptors_are_opened_where_nothing_confines(
        self, unconfined: Stand
    ) -> None:
        assert breaches(unconfined, "first_process")

    def test_the_first_process_s_descriptors_can_not_be_opened(
        self, confined: Stand
    ) -> None:
        assert not breaches(confined, "first_process")

    def test_ptrace_works_where_nothing_confines(self, unconfined: Stand) -> None:
        assert breaches(unconfined, "ptrace")

    def test_ptrace_is_refused(self, guarded: Stand) -> None:
        assert not breaches(guarded, "ptrace")


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of the plain user outside every sandbox."""
    user = PLAIN_UID if os.geteuid() == 0 else None
    process = subprocess.Popen(["/bin/sleep", "86399"], user=user)
    yield process
    process.kill()
    process.wait()


class TestRights:
    @pytest.mark.parametrize(
        "name", ["set_uid", "user_namespace", "keyring", "terminal_input", "io_uring"]
    )
    def test_it_works_where_nothing_confines(
        self, unconfined: Stand, name: str
    ) -> None:
        assert breaches(unconfined, name)

    @pytest.mark.parametrize(
        "name",
        [
            "set_uid",
            "user_namespace",
            "keyring",
            "terminal_input",
            "io_uring",
            "core_pattern",
            "mount",
        ],
    )
    def test_it_is_refused(self, guarded: Stand, name: str) -> None:
        assert not breaches(guarded, name)

    def test_memory_that_nobody_counts_is_refused_without_groups(
        self, confined: Stand
    ) -> None:
        got = breaches(confined, "memory_in_a_descriptor")
        assert bool(got) == (confined.level == "full")
