"""The least that the same server and framework can do: the limit of the API's rows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import falcon.asgi
import requests

from crony.api.server import Program, listen
from crony.config import home, load
from crony.testing.service import free_port

_ROOT = Path(__file__).resolve().parents[2]


class _Echo:
    async def on_get(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response
    ) -> None:
        resp.media = {"hello": "world"}

    async def on_post(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response
    ) -> None:
        resp.media = await req.get_media()


class _App(falcon.asgi.App[falcon.asgi.Request, falcon.asgi.Response]):
    def drain(self) -> None:
        """Nothing waits here."""


app = _App()
app.add_route("/", _Echo())


class _Program(Program):
    """The service's server, with this application instead."""

    def load(self) -> _App:  # type: ignore[override]  # all that its worker asks of one
        return app


def main() -> None:
    """Serve it where the settings say that the service listens."""
    settings = load(path=None, environ=os.environ, overrides={})
    listener = listen(settings.api.bind)
    _Program(settings, home=home(os.environ), listener=listener).run()


@contextmanager
def running_echo(folder: Path) -> Iterator[str]:
    """Serve it as the service is served, by one process; give the URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    argv += ["--worker-class", "asgi", "--asgi-loop", "uvloop", "--workers", "1"]
    argv += [
        "--no-control-socket",
        "--log-level",
        "warning",
        "bench.measuring.echo:app",
    ]
    with (folder / "echo.log").open("wb") as log:
        process = subprocess.Popen(
            argv, cwd=_ROOT, env=dict(os.environ), stdout=log, stderr=log
        )
    try:
        _await(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            requests.get(url, timeout=5)
            return
        except requests.ConnectionError:
            # Nobody tells when a port begins to answer.
            time.sleep(0.02)
    raise AssertionError("the echo does not answer")


if __name__ == "__main__":
    main()
