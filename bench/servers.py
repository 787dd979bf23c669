"""What does the server make of it: the same application behind several ASGI servers?

Each serves, in turns and by one process: an echo of JSON and a hello by Falcon alone,
then the service's own application over a store of its own, which is empty each time.
There are ours, as it is started always, gunicorn's worker as it comes, and others, with
uvloop and without; another one begins each round. The others are installed beside the
peers of other rows. What is counted is requests in a second, and the processor time of
a request, which other users of the machine change less.

    make bench ROW=servers
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.api import create, echo, get, hello
from bench.measuring.load import Answers
from bench.measuring.processes import processor
from bench.measuring.report import Report, arguments
from bench.peers import servers
from crony.testing.service import ServiceProcess, free_port, running_service

_ROOT = Path(__file__).resolve().parent.parent
ECHO, SERVICE = "bench.measuring.echo:app", "bench.measuring.served:app"

#: What is asked of each, and of which application.
FIGURES = {
    "echo": "echo of 1 KiB JSON",
    "hello": "hello",
    "get": "GET /schedules/{id}",
    "create": "POST /schedules",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and how it is started on a port with an application."""

    title: str
    argv: tuple[str, ...]
    #: Whether it is installed for the row, and not for Crony.
    installed: bool = True

    def command(self, app: str, port: int) -> list[str]:
        """Return its command line."""
        if not self.argv:
            # Our own worker is started by our own programs.
            module = "bench.measuring.echo" if app == ECHO else "crony.cli.api"
            return [sys.executable, "-m", module]
        where = {"port": str(port), "address": f"127.0.0.1:{port}"}
        words = [word.format(**where) for word in self.argv]
        return [sys.executable, "-m", *words, app]


def _gunicorn(kind: str, *more: str) -> tuple[str, ...]:
    common = ("--workers", "1", "--no-control-socket", "--log-level", "warning")
    return ("gunicorn", "--bind", "{address}", "--worker-class", kind, *common, *more)


def _uvicorn(loop: str) -> tuple[str, ...]:
    quiet = ("--no-access-log", "--log-level", "warning")
    return ("uvicorn", "--port", "{port}", "--loop", loop, *quiet)


def _granian(loop: str) -> tuple[str, ...]:
    common = ("--interface", "asgi", "--workers", "1", "--log-level", "warning")
    return ("granian", "--port", "{port}", "--loop", loop, *common)


OURS = Server("gunicorn's worker with our additions, uvloop", (), installed=False)
PLAIN = Server(
    "gunicorn's worker as it comes, uvloop",
    _gunicorn("asgi", "--asgi-loop", "uvloop"),
    installed=False,
)
SLOW = Server(
    "gunicorn's worker as it comes, asyncio",
    _gunicorn("asgi", "--asgi-loop", "asyncio"),
    installed=False,
)
SERVERS = (
    OURS,
    PLAIN,
    SLOW,
    Server("uvicorn under gunicorn, uvloop", _gunicorn("uvicorn_worker.UvicornWorker")),
    Server("uvicorn by itself, uvloop", _uvicorn("uvloop")),
    Server("uvicorn by itself, asyncio", _uvicorn("asyncio")),
    Server("granian, uvloop", _granian("uvloop")),
    Server("granian, asyncio", _granian("asyncio")),
)


@contextmanager
def serving(
    server: Server, app: str, *, home: Path, key: str = ""
) -> Iterator[ServiceProcess]:
    """Have an application served."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = servers.environ(_ROOT, installed=server.installed)
    environ |= {
        "CRONY_HOME": str(home),
        "CRONY_API_BIND": f"127.0.0.1:{port}",
        "CRONY_API_LOG_LEVEL": "warning",
    }
    file = home / "server.log"
    with file.open("ab") as log:
        # A session of its own, so that ``kill`` reaches all of it and nothing else.
        process = subprocess.Popen(
            server.command(app, port),
            cwd=_ROOT,
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    service = ServiceProcess(url, home, key, process, file)
    try:
        _await(url, process)
        yield service
    finally:
        try:
            service.stop(within=30)
        except subprocess.TimeoutExpired:
            service.kill()
            raise


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            # The echo knows no such path, which is an answer too.
            if requests.get(f"{url}/health/ready", timeout=5).status_code in (200, 404):
                return
        except (requests.ConnectionError, requests.Timeout):
            # Nobody tells when a port begins to answer.
            pass
        time.sleep(0.02)
    raise AssertionError("the server does not answer")


@dataclass(frozen=True, slots=True)
class Taken:
    """What requests of one kind took."""

    per_second: float
    #: Of the server's processor time, for one request.
    microseconds: float


def round_of(server: Server, home: Path, *, key: str, count: int) -> dict[str, Taken]:
    """Measure one server once, over a store that nobody else has used."""
    with serving(server, ECHO, home=home) as echoing:
        echo(echoing.url, count)
        found = {
            "echo": _taken(echoing, lambda: echo(echoing.url, 4 * count))[0],
            "hello": _taken(echoing, lambda: hello(echoing.url, 4 * count))[0],
        }
    with serving(server, SERVICE, home=home, key=key) as service:
        create(service, max(count // 10, 1), batch="warm")
        found["create"], made = _taken(
            service, lambda: create(service, count, batch="round")
        )
        ids = [str(json.loads(body)["id"]) for body in made.bodies]
        found["get"], _ = _taken(service, lambda: get(service, ids * 2))
    return found


def _taken(
    service: ServiceProcess, ask: Callable[[], Answers]
) -> tuple[Taken, Answers]:
    before = processor(service.process.pid)
    answers = ask()
    spent = processor(service.process.pid) - before
    return Taken(answers.per_second, spent / len(answers.took) * 1e6), answers


def measure(
    home: Path, which: Sequence[Server], *, repetitions: int, count: int
) -> dict[tuple[str, str], list[Taken]]:
    """Measure servers in turns; return what each figure of each was, by both names."""
    # Brings the store up, which a server by itself does not.
    with running_service(home) as service:
        key = service.admin_key
    found: dict[tuple[str, str], list[Taken]] = {}
    for number in range(repetitions):
        first = number % len(which)
        for server in [*which[first:], *which[:first]]:
            own = home.with_name(f"{home.name}-of-one")
            shutil.copytree(home, own)
            for figure, taken in round_of(server, own, key=key, count=count).items():
                found.setdefault((figure, server.title), []).append(taken)
            shutil.rmtree(own)
    return found


def main() -> int:
    """Measure, print, and keep the samples."""
    parser, command = arguments(__doc__, repetitions=1)
    parser.add_argument("--count", type=int, default=500, help="of single requests")
    wanted = parser.parse_args()
    report = Report("servers", "One application behind several servers", command)
    with tempfile.TemporaryDirectory() as place:
        found = measure(
            Path(place) / "home",
            SERVERS,
            repetitions=wanted.repetitions,
            count=wanted.count,
        )
    for figure, meaning in FIGURES.items():
        for server in SERVERS:
            taken = found[figure, server.title]
            rates = report.add(f"{meaning}: {server.title}", "/s")
            rates.samples += [each.per_second for each in taken]
            spent = report.add(f"{meaning}, processor: {server.title}", "µs")
            spent.samples += [each.microseconds for each in taken]
    return report.finish(publish=wanted.publish)


if __name__ == "__main__":
    sys.exit(main())
