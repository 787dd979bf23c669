"""`crony up` as its user meets it: a process on a terminal of its own."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from crony.testing.service import free_port

Json = dict[str, object]

pytestmark = pytest.mark.xdist_group("cli-up")


class Up:
    """A started `crony up`, whose lines can be waited for."""

    def __init__(self, home: Path, port: int, *options: str) -> None:
        self.home = home
        self.port = port
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "crony.cli.main", "up"),
                *("--bind", f"127.0.0.1:{port}", *options),
            ],
            env={"PATH": os.environ["PATH"], "CRONY_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def headers(self) -> dict[str, str]:
        """What an admin sends."""
        key = (self.home / "admin.key").read_text().strip()
        return {"Authorization": f"Bearer {key}"}

    def schedule(self, name: str, body: dict[str, object] | None = None) -> Json:
        """Read a schedule, or change it first."""
        url = f"{self.url}/schedules/{name}"
        if body is None:
            answer = requests.get(url, headers=self.headers, timeout=9)
        else:
            answer = requests.patch(url, json=body, headers=self.headers, timeout=9)
        answer.raise_for_status()
        found: Json = answer.json()
        return found

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def line(self, wanted: Callable[[str], bool], *, within: float) -> str:
        """Return the first line from here on that is wanted."""
        until = time.monotonic() + within
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError("not said: " + "".join(self.said)) from None
            assert line is not None, "it ended: " + "".join(self.said)
            self.said.append(line)
            if wanted(line):
                return line

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join()
        return code

    def processes(self) -> set[int]:
        """Return all processes that were started with this home."""
        return {pid for pid in _pids() if _belongs(pid, self.home)}


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _belongs(pid: int, home: Path) -> bool:
    """Whether a process lives that was started with this home."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return state != "Z" and f"CRONY_HOME={home}".encode() in environ.split(b"\0")


@contextmanager
def started(home: Path, *options: str, port: int | None = None) -> Iterator[Up]:
    up = Up(home, port or free_port(), *options)
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.process.kill()
            up.process.wait()
        up._reader.join()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


def is_curl(line: str) -> bool:
    return line.startswith("curl ")


def is_hello(line: str) -> bool:
    return "  hello  succeeded  " in line


def test_the_first_look_holds_what_it_promises(home: Path, tmp_path: Path) -> None:
    begun = time.monotonic()
    with started(home) as up:
        curl = up.line(is_curl, within=60)
        up.line(is_hello, within=60)
        assert time.monotonic() - begun < 15
        # A night off is not caught up with run by run.
        assert up.schedule("hello")["misfire"] == "latest"

        # As it stands, in a plain shell, from anywhere.
        pasted = subprocess.run(
            ["sh", "-c", curl],
            env={"PATH": os.environ["PATH"]},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        made = json.loads(pasted.stdout)
        assert made["every"] == "1m"
        assert made["id"].startswith("sch_")

        # Its runs are told as well.
        up.line(lambda line: f"  {made['id']}  succeeded  " in line, within=60)
        assert len(up.processes()) >= 3
        assert up.end() == 0
        assert up.processes() == set()


def test_what_was_there_is_there_again(home: Path) -> None:
    with started(home, "--verbose") as up:
        up.line(is_curl, within=60)
        before = up.schedule("hello", {"every": "2s", "labels": {"a": "b"}})
        up.line(is_hello, within=60)
        assert up.end(signal.SIGTERM) == 0
        assert up.processes() == set()

    with started(home, "--verbose") as up:
        up.line(is_hello, within=60)
        after = up.schedule("hello")
        for member in ("id", "every", "labels", "revision", "created_at"):
            assert after[member] == before[member]
        workers = requests.get(f"{up.url}/workers", headers=up.headers, timeout=9)
        assert len(workers.json()["items"]) == 1
        assert up.end() == 0


def test_a_worker_that_is_registered_by_hand_stands_beside_its_own(
    home: Path, tmp_path: Path
) -> None:
    with started(home) as up:
        up.line(is_hello, within=60)
        argv = ("register", "--no-run", "--api", up.url)
        subprocess.run(
            [
                *(sys.executable, "-m", "crony.cli.worker", *argv),
                *("--key-file", str(home / "admin.key")),
            ],
            env={"PATH": os.environ["PATH"], "CRONY_HOME": str(tmp_path / "other")},
            check=True,
            timeout=60,
        )
        workers = requests.get(f"{up.url}/workers", headers=up.headers, timeout=9)
        by_hand, own = sorted(item["name"] for item in workers.json()["items"])
        assert own == f"{by_hand}-up"
        assert up.end() == 0


def test_a_long_task_does_not_keep_it_from_ending(home: Path) -> None:
    with started(home, "--verbose") as up:
        up.line(is_hello, within=60)
        mark = f"9{os.getpid():06}"
        task = {"command": f"trap '' TERM; while :; do sleep {mark}; done"}
        up.schedule("hello", {"every": "1s", "grace": "1s", "task": task})
        wait_until(lambda: sleepers(mark), within=60)
        assert up.end() == 0
        assert up.processes() == set()
        assert sleepers(mark) == set()


def sleepers(mark: str) -> set[int]:
    """Return the tasks that sleep for this time: a sandbox has its own environment."""
    wanted = f"sleep\0{mark}\0".encode()
    return {pid for pid in _pids() if _command_line(pid).endswith(wanted)}


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def wait_until(holds: Callable[[], object], *, within: float) -> None:
    """Wait for what tells nobody: processes of others begin and end unannounced."""
    until = time.monotonic() + within
    while not holds():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def test_nothing_is_left_when_it_is_killed(home: Path) -> None:
    with started(home, "--verbose") as up:
        up.line(is_hello, within=60)
        before = up.processes()
        assert len(before) >= 3
        assert up.end(signal.SIGKILL) == -signal.SIGKILL
        wait_until(lambda: not up.processes(), within=60)

    with started(home, "--verbose") as up:
        up.line(is_hello, within=60)
        assert up.end() == 0


def test_a_second_one_on_the_same_home_is_told_of_the_first(home: Path) -> None:
    with started(home, "--verbose") as first:
        first.line(is_curl, within=60)
        with started(home) as second:
            said = second.line(lambda line: "runs already" in line, within=60)
            assert second.process.wait(60) == 1
        assert str(first.process.pid) in said
        assert "CRONY_HOME" in said
        assert first.end() == 0


def test_a_taken_port_is_told_before_anything_starts(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with started(home, port=port) as up:
            said = up.line(lambda line: str(port) in line, within=60)
            assert up.process.wait(60) == 2
        assert "Address already in use" in said
        assert f"--bind 127.0.0.1:{port + 1}" in said
    assert not (home / "crony.db").exists()


def test_a_service_that_cannot_start_ends_it_with_its_reason(home: Path) -> None:
    (home / "crony.db").write_bytes(b"this is no database" * 400)
    with started(home, "--verbose") as up:
        up.line(lambda line: "crony-api ended by itself" in line, within=60)
        assert up.process.wait(60) == 1
        assert up.processes() == set()
    assert not any("Traceback" in line for line in up.said)
