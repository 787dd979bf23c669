"""The service as a program: its checks, its migrations, its processes."""

from __future__ import annotations

import gc
import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # it has no types
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]  # it has no types

from crony import errors, log
from crony.api.app import App
from crony.clock import StoreClock
from crony.config import ADMIN_KEY, Api, Settings, ensure_home
from crony.scheduler.keys import Keys
from crony.storage import open_store

_log = log.get(__name__)

#: How long requests that are under way may take once the service is to end.
_GRACE = 10


def serve(settings: Settings, *, environ: Mapping[str, str] | None = None) -> int:
    """Run the service until it is told to end; return its exit code.

    Raises ``MissingSafeguard`` and ``InvalidSetting`` before anything is started.
    """
    log.setup(level=settings.api.log_level, form=settings.api.log_format)
    home = ensure_home(os.environ if environ is None else environ)
    check_safeguards(settings.api)
    _migrate(settings, home)
    listener = listen(settings.api.bind)
    scheme = "https" if settings.api.tls_cert else "http"
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    _log.info("listening", url=f"{scheme}://{shown}:{port}")
    # What there is by now stays as it is: the processes share its pages, and no
    # collection goes through it.
    gc.freeze()
    gc.enable()
    try:
        Program(settings, home=home, listener=listener).run()
    except SystemExit as exc:
        # gunicorn has codes of its own for processes that could not start.
        return 1 if exc.code else 0
    return 0


def new_admin_key(
    settings: Settings, *, environ: Mapping[str, str] | None = None
) -> Path:
    """Make another admin key of the store; return the file that holds it now."""
    log.setup(level=settings.api.log_level, form=settings.api.log_format)
    home = ensure_home(os.environ if environ is None else environ)
    _migrate(settings, home)
    store = open_store(settings.storage.url, home=home)
    store.open()
    try:
        Keys(store, StoreClock(store.now)).add_admin(home / ADMIN_KEY)
    finally:
        store.close()
    return home / ADMIN_KEY


def _migrate(settings: Settings, home: Path) -> None:
    """Bring the store up before any process opens it."""
    url = settings.storage.url
    store = open_store(url, home=home)
    try:
        store.migrate()
    except errors.StoreUnavailable as exc:
        detail = naming(url, str(exc))
        raise errors.StoreUnavailable(detail, retry_after=exc.retry_after) from exc
    except errors.StoreUnusable as exc:
        raise type(exc)(naming(url, str(exc))) from exc
    store.close()


def naming(url: str, detail: str) -> str:
    """Return what is wrong with the store, and which one that is.

    SECURITY: whatever of the URL may be a password is left out.
    """
    setting = "storage.url (--storage, CRONY_STORAGE)"
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{detail}; see {setting}"
    if "@" in parts.path + parts.query + parts.fragment:
        # A password with a / or the like that is not written as %2F.
        return f"{detail}; see {setting}"
    before, at, name = parts.netloc.rpartition("@")
    user = before.partition(":")[0]
    who = user + at if user else ""
    return f"{detail}; {setting} is {parts.scheme}://{who}{name}{parts.path}"


def check_safeguards(api: Api) -> None:
    """Refuse to send keys over a network in clear text, unless told so by name."""
    if (api.tls_cert is None) != (api.tls_key is None):
        raise errors.MissingSafeguard(
            "a certificate needs its key: give both --tls-cert and --tls-key"
        )
    for path in (api.tls_cert, api.tls_key):
        if path is not None and not os.access(path, os.R_OK):
            raise errors.MissingSafeguard(f"{path} can't be read")
    host, _ = split_bind(api.bind)
    if api.tls_cert is None and not api.insecure_bind and not _is_loopback(host):
        raise errors.MissingSafeguard(
            f"{host} is not loopback, and keys would cross the network in clear text; "
            "give --tls-cert and --tls-key, or, behind a proxy that ends TLS, "
            "--insecure-bind"
        )


def split_bind(bind: str) -> tuple[str, int]:
    """Return the host and the port of ``HOST:PORT``."""
    host, _, port = bind.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(bind: str) -> socket.socket:
    """Return a socket that listens, or say in one line why there is none."""
    host, port = split_bind(bind)
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
        except OSError:
            listener.close()
            raise
    except OSError as exc:
        raise errors.InvalidSetting(
            "--bind", "bind", f"can't listen at {bind}: {exc.strerror}"
        ) from exc
    listener.set_inheritable(True)
    return listener


class _Supervisor(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's arbiter, which would cut requests short at a terminal's Ctrl-C."""

    def handle_int(self) -> None:
        """End as at SIGTERM; a second one hurries the processes."""
        self.handle_term()


class Program(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's arbiter over the processes of the service."""

    def __init__(
        self, settings: Settings, *, home: Path, listener: socket.socket
    ) -> None:
        self._settings = settings
        self._home = home
        self._listener = listener
        super().__init__()

    @property
    def header_timeout(self) -> float:
        """How long a client may take for a request's headers, in seconds."""
        return self._settings.api.header_timeout.total_seconds()

    def load_config(self) -> None:
        """Set gunicorn up; nothing is read from its own files or variables."""
        api = self._settings.api
        options: dict[str, Any] = {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": api.processes,
            "worker_class": "crony.api.asgi.Worker",
            "worker_connections": api.max_connections,
            "logger_class": "crony.api.asgi.Log",
            "loglevel": "debug" if api.log_level == "debug" else "warning",
            "certfile": api.tls_cert,
            "keyfile": api.tls_key,
            "asgi_lifespan": "on",
            "asgi_loop": "uvloop",
            "control_socket_disable": True,
            "graceful_timeout": _GRACE,
            "keepalive": 75,
            "timeout": 60,
            # Forwarded headers decide nothing here, so they are nobody's to set.
            "forwarded_allow_ips": "",
            "limit_request_line": 8190,
            "proc_name": "crony-api",
            "default_proc_name": "crony-api",
        }
        for name, value in options.items():
            if value is not None:
                self.cfg.set(name, value)

    def run(self) -> None:
        """Serve until a signal ends it, with ``SystemExit``."""
        _Supervisor(self).run()

    def load(self) -> App:
        """Make the application, in a process of its own."""
        # Imported after the fork: a process that only supervises needs none of it.
        from crony.api.lifespan import build

        return build(self._settings, home=self._home)
