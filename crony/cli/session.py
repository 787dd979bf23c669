"""What every command of the client has in common: address, key, form of output."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crony import errors
from crony.cli import output

if TYPE_CHECKING:
    from crony.client import Client
    from crony.config import Settings

#: The options of every command.
OPTIONS = ("--api", "--key-file", "--tenant", "--config", "--json")

#: Larger than any key; whoever names another file gets an error and not a wait.
_LONGEST_KEY = 4096


class Session:
    """The settings of one call, and the client that is made from them."""

    def __init__(
        self,
        *,
        config: str | None,
        api: tuple[str, ...],
        key_file: str | None,
        tenant: str | None,
        as_json: bool,
    ) -> None:
        # Imported here: `crony --help` needs no settings.
        from crony.config import load

        chosen: dict[tuple[str, str], object] = {
            ("client", "api_url"): api,
            ("client", "key_file"): key_file,
            ("client", "output"): "json" if as_json else None,
        }
        self.settings: Settings = load(
            path=config, environ=os.environ, overrides=chosen
        )
        self.tenant = tenant

    @property
    def as_json(self) -> bool:
        """Whether a program reads the output."""
        return self.settings.client.output == "json"

    @functools.cached_property
    def client(self) -> Client:
        """The client with its key; nothing is sent yet."""
        from crony.client import Client

        key = find_key(self.settings)
        return Client(self.settings.client.api_url, key=key, tenant=self.tenant)

    def client_of(self, tenant: str | None) -> Client:
        """Return a client that acts in a tenant; in none that is named, the usual."""
        from crony.client import Client

        if tenant is None:
            return self.client
        key = find_key(self.settings)
        return Client(self.settings.client.api_url, key=key, tenant=tenant)

    def show(self, answer: object, otherwise: Callable[[], None]) -> None:
        """Print the answer as JSON, or call what prints it for people."""
        if self.as_json:
            output.document(answer)
        else:
            otherwise()


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of every command, and a session made of them."""

    @click.option(
        "--api",
        multiple=True,
        metavar="URL",
        help="The service's address; of many nodes those of some.",
    )
    @click.option("--key-file", metavar="FILE", help="A file with the key; - is stdin.")
    @click.option("--tenant", metavar="NAME", help="Act in this tenant (admins).")
    @click.option("--config", metavar="FILE", help="The file of settings.")
    @click.option("--json", "as_json", is_flag=True, help="Print what was answered.")
    @functools.wraps(command)
    def wrapped(
        *,
        api: tuple[str, ...],
        key_file: str | None,
        tenant: str | None,
        config: str | None,
        as_json: bool,
        **others: object,
    ) -> None:
        session = Session(
            config=config, api=api, key_file=key_file, tenant=tenant, as_json=as_json
        )
        command(session, **others)

    return wrapped


def find_key(settings: Settings) -> str:
    """Return the key to work with, or say where one is to be had."""
    if settings.client.key is not None:
        return settings.client.key
    if settings.client.key_file is not None:
        return read_key(settings.client.key_file)
    return _machine_key(settings.client.api_url)


def read_key(path: str, *, option: str = "--key-file") -> str:
    """Return the key, or another secret, that a file holds; ``-`` is stdin."""
    try:
        if path == "-":
            return sys.stdin.read(_LONGEST_KEY).strip()
        with Path(path).open(encoding="ascii") as file:
            return file.read(_LONGEST_KEY).strip()
    except OSError as exc:
        detail = f"{path} can't be read: {exc.strerror}"
        raise errors.InvalidSetting(option, "key_file", detail) from exc
    except UnicodeDecodeError as exc:
        detail = f"{path} holds no key; a key is one word such as crony_…"
        raise errors.InvalidSetting(option, "key_file", detail) from exc


def _machine_key(api_url: str) -> str:
    """Return the admin key of this machine's service.

    SECURITY: it is for this machine alone, and never sent to another's address.
    """
    from crony.client import Client
    from crony.client.address import are_loopback
    from crony.config import ADMIN_KEY, home

    path = home(os.environ) / ADMIN_KEY
    if are_loopback(api_url) and path.exists():
        return read_key(str(path))
    # No key may simply mean that no service was ever started here.
    Client(api_url, key="").live()
    raise errors.Unauthenticated(
        f"no key for {api_url}: name one with --key-file FILE, CRONY_KEY_FILE or "
        f"CRONY_KEY; the service's first one is in admin.key of its CRONY_HOME"
    )
