"""`crony up`: start both, make a first schedule, and tell what happens."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from crony import errors
from crony.cli import output
from crony.cli.session import read_key
from crony.cli.up.children import ENDING, WAITED, Pair
from crony.cli.up.watch import Watch, line
from crony.client import Client
from crony.config import ADMIN_KEY, Settings, ensure_home, load

#: After a night off, one of those that came due is enough.
HELLO = {
    "name": "hello",
    "every": "5s",
    "task": {"command": "echo Hello from Crony"},
    "misfire": "latest",
}

#: Between two looks at the runs, and at a service that starts.
_LOOK, _START = 0.5, 0.05

#: A store that is upgraded may take long; a service that hangs must be seen.
_PATIENCE = 120.0

#: Of a worker's name, without what is added to it.
_LONGEST_NAME = 125

#: A Ctrl-C waits for the look that is under way.
_TIMEOUT = timedelta(seconds=2)


@click.command()
@click.option("--bind", metavar="HOST:PORT", help="Where the service listens.")
@click.option("--storage", metavar="URL", help="The store's address.")
@click.option("--config", metavar="FILE", help="The file of settings.")
@click.option("--verbose", is_flag=True, help="Show what both programs log.")
@click.pass_context
def up(
    context: click.Context,
    /,
    *,
    bind: str | None,
    storage: str | None,
    config: str | None,
    verbose: bool,
) -> None:
    """Start the service and one worker on this machine, for a first look.

    It keeps everything in $CRONY_HOME, makes the schedule `hello` if there is none,
    and prints each run as it ends. Ctrl-C ends both.
    """
    settings = load(
        path=config,
        environ=os.environ,
        overrides={("api", "bind"): bind, ("storage", "url"): storage},
    )
    home = ensure_home(os.environ)
    environ = _environment(settings, home, verbose=verbose)
    with _alone(home), _waited_signals():
        host, port = _free_address(settings.api.bind)
        options = ["--config", config] if config else []
        pair = Pair(environ)
        try:
            pair.start("api", "--bind", f"{host}:{port}", *options)
            scheme = "https" if settings.api.tls_cert else "http"
            url = f"{scheme}://{_reachable(host)}:{port}"
            code = _attend(pair, url, home, options)
        finally:
            pair.end()
    context.exit(code)


def _attend(pair: Pair, url: str, home: Path, options: list[str]) -> int:
    """Go on until a signal comes, or one of the two ends by itself."""
    if not _wait_until_ready(pair, url):
        return _told_why(pair)
    key_file = home / ADMIN_KEY
    if not key_file.exists():
        raise errors.Unauthenticated(
            f"the store has an admin key already, and {key_file} is not there: copy it "
            "from the host whose node was started first, or make another one here, "
            "with the same settings: crony-api --new-admin-key"
        )
    client = Client(url, key=read_key(str(key_file)), timeout=_TIMEOUT)
    watch = Watch(client, now=datetime.now(UTC))
    pair.start(
        "worker", "register", "--api", url, "--key-file", str(key_file), *options
    )
    _ensure_hello(client)
    _welcome(url, key_file)
    while pair.ended() is None:
        came = signal.sigtimedwait(WAITED, _LOOK)
        if came is not None and came.si_signo in ENDING:
            output.note("ending …")
            return 0
        # A service under load may miss one look; the next shows the same runs.
        with suppress(errors.ClientError):
            for run in watch.look():
                click.echo(line(run))
    return _told_why(pair)


def _wait_until_ready(pair: Pair, url: str) -> bool:
    """Wait for the service; False when a signal came or it ended."""
    probe = Client(url, key="", timeout=_TIMEOUT)
    until = time.monotonic() + _PATIENCE
    while pair.ended() is None and time.monotonic() < until:
        try:
            probe.ready()
        except errors.ClientError:
            came = signal.sigtimedwait(WAITED, _START)
            if came is not None and came.si_signo in ENDING:
                return False
        else:
            return True
    return False


def _told_why(pair: Pair) -> int:
    """Say which of the two ended; its own message stands above."""
    ended = pair.ended()
    if ended is None:
        return 0
    program, code = ended
    output.note(f"crony-{program} ended by itself (exit code {code}): see above")
    return code if code > 0 else 1


def _ensure_hello(client: Client) -> None:
    try:
        client.put_schedule("hello", HELLO, if_none_match="*")
    except errors.Refused as exc:
        # It is there from an earlier start, perhaps changed: it stays as it is.
        if exc.status != 412:
            raise


def _welcome(url: str, key_file: Path) -> None:
    key = f"$(cat {shlex.quote(str(key_file))})"
    body = '{"every": "1m", "task": {"command": "date"}}'
    click.echo(f"Crony is at {url} (Ctrl-C ends it). Add a schedule:\n")
    click.echo(
        f'curl -sS {url}/schedules -H "Authorization: Bearer {key}" '
        f"-H 'Content-Type: application/json' -d '{body}'\n"
    )


def _environment(settings: Settings, home: Path, *, verbose: bool) -> dict[str, str]:
    """Return the children's environment: this one's, quieter unless asked.

    The worker has a name of its own: another one of this host, registered by hand
    under the usual name, must not take its place.
    """
    name = f"{settings.worker.name[:_LONGEST_NAME]}-up"
    environ = {**os.environ, "CRONY_HOME": str(home), "CRONY_WORKER_NAME": name}
    # SECURITY: its address may hold a password, and everybody may read arguments.
    environ["CRONY_STORAGE_URL"] = settings.storage.url
    for section, level in (
        ("API", settings.api.log_level),
        ("WORKER", settings.worker.log_level),
    ):
        if level == "info" and not verbose:
            environ[f"CRONY_{section}_LOG_LEVEL"] = "warning"
    return environ


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep a second `crony up` from the same directory."""
    descriptor = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with open(descriptor, "r+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            file.seek(0)
            raise errors.InUse(
                f"`crony up` runs already with {home}: end process "
                f"{file.read(20).strip()}, or set CRONY_HOME to another directory"
            ) from exc
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def _waited_signals() -> Iterator[None]:
    """Block the signals that this program waits for, so that none is lost."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WAITED)
    try:
        yield
    finally:
        # One that came at the very end must not undo a clean exit.
        while signal.sigtimedwait(WAITED, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _free_address(bind: str) -> tuple[str, int]:
    """Return host and port; a taken port is told before anything is started."""
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as exc:
            detail = (
                f"{bind} can't be used: {exc.strerror}; name another address, such as "
                f"crony up --bind 127.0.0.1:{(int(port) or 8640) + 1}"
            )
            raise errors.InvalidSetting("--bind", "bind", detail) from exc
        return host, int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    """Return the address under which this machine itself finds the service."""
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
