"""All settings: the one table that loading, sample file and reference come from.

Each name below is a row: its kind, its default and its meaning. The name of the
class is the section, the name in it the key.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

from crony.config.home import home
from crony.config.kinds import (
    BIND,
    FLAG,
    LABELS,
    PATH,
    TEXT,
    UIDS,
    URLS,
    WORDS,
    choice,
    count,
    duration,
)
from crony.config.setting import Environ, Section, Setting, derived, row, settings_of

_LEVEL = choice("debug", "info", "warning", "error")
_LEVEL_MEANING = "The least level that is logged."
_FORMAT = choice("auto", "text", "json")
_FORMAT_MEANING = "auto: readable on a terminal, key=value elsewhere."
_SERVICE = "http://127.0.0.1:8640"


def _store_url(environ: Environ) -> str:
    return f"sqlite:///{home(environ) / 'crony.db'}"


def _host_name(_: Environ) -> str:
    import socket

    # A worker's name keeps to the alphabet of all names.
    lowered = re.sub(r"[^a-z0-9._-]+", "-", socket.gethostname().lower())
    return lowered.lstrip("._-")[:128] or "worker"


def _slots(_: Environ) -> int:
    return 2 * len(os.sched_getaffinity(0))


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


class Api(Section):
    """The service."""

    bind: str = row(
        BIND,
        "127.0.0.1:8640",
        "Where the service listens. Outside loopback it needs a certificate, or "
        "insecure_bind.",
    )
    processes: int = row(
        count(least=1, most=64),
        1,
        "Processes that answer requests.",
    )
    threads: int = row(
        count(least=1, most=128),
        8,
        "Threads of each process that work on the store.",
    )
    tls_cert: str | None = row(PATH, None, "Certificate chain, PEM.")
    tls_key: str | None = row(PATH, None, "The certificate's private key, PEM.")
    insecure_bind: bool = row(
        FLAG,
        False,
        "Listen outside loopback without TLS: keys then cross the network in clear "
        "text. For a proxy that ends TLS in front.",
    )
    max_connections: int = row(
        count(least=8, most=1_000_000),
        4096,
        "Connections of each process; a waiting worker holds one.",
    )
    header_timeout: timedelta = row(
        duration(least=_seconds(0.1), most=_seconds(300)),
        _seconds(10),
        "How long a client may take to send a request's headers.",
    )
    lease_ttl: timedelta = row(
        duration(least=_seconds(5), most=_seconds(3600)),
        _seconds(60),
        "How long a worker holds a run without renewing it; a run whose worker "
        "vanished starts elsewhere after this time.",
    )
    poll_wait: timedelta = row(
        duration(least=_seconds(0), most=_seconds(60)),
        _seconds(20),
        "How long a worker's request for runs may wait for one; at most half of "
        "lease_ttl.",
    )
    lease_ahead: timedelta = row(
        duration(least=_seconds(0), most=_seconds(60)),
        _seconds(5),
        "How long before its instant a run is handed to a worker.",
    )
    webhook_allow: tuple[str, ...] = row(
        WORDS,
        (),
        "Hosts and networks (CIDR) that webhooks may be sent to beside public "
        "addresses.",
    )
    log_level: str = row(_LEVEL, "info", _LEVEL_MEANING)
    log_format: str = row(_FORMAT, "auto", _FORMAT_MEANING)


class Storage(Section):
    """The store that all service nodes share."""

    url: str = derived(
        TEXT,
        _store_url,
        "sqlite:///$CRONY_HOME/crony.db",
        "The store's address: sqlite:///FILE, postgresql://HOST/DATABASE, "
        "mongodb://HOST/DATABASE or redis://HOST/NUMBER.",
        short="CRONY_STORAGE",
        option="--storage",
    )


class Worker(Section):
    """A worker daemon, and what its operator allows to tasks."""

    api_url: str = row(
        URLS,
        _SERVICE,
        "The service's address; of a service with many nodes those of some, which are "
        "tried in turn when one does not answer.",
        short="CRONY_API_URL",
        option="--api",
    )
    key: str | None = row(
        TEXT,
        None,
        "The key to register with; better a key_file.",
        short="CRONY_KEY",
        secret=True,
    )
    key_file: str | None = row(
        PATH,
        None,
        "A file with the key to register with; - is standard input.",
        short="CRONY_KEY_FILE",
    )
    name: str = derived(
        TEXT,
        _host_name,
        "the host's name",
        "The worker's name.",
    )
    queues: tuple[str, ...] = row(
        WORDS,
        ("default",),
        "The queues whose runs it takes.",
        option="--queue",
    )
    slots: int = derived(
        count(least=1, most=1000),
        _slots,
        "2 x cores",
        "How many runs it executes at once.",
    )
    spares: int = row(
        count(least=0, most=1000),
        2,
        "For how many slots a sandbox stands ready before there is a run for it; each "
        "takes about 5 MB.",
    )
    labels: Mapping[str, str] = row(
        LABELS,
        MappingProxyType({}),
        "What a schedule's `requires` is compared with.",
        option="--label",
    )
    sandbox_level: str = row(
        choice("auto", "full", "namespaces", "landlock", "none"),
        "auto",
        "How tasks are confined. auto: the better of full and namespaces; the weaker "
        "ones only by name.",
    )
    allow_network_host: bool = row(
        FLAG,
        False,
        "Tasks may ask for the host's network, its loopback included.",
    )
    ro_paths: tuple[str, ...] = row(
        WORDS,
        (),
        "Directories that tasks may ask to read.",
    )
    rw_paths: tuple[str, ...] = row(
        WORDS,
        (),
        "Directories that tasks may ask to write.",
    )
    pass_env: tuple[str, ...] = row(
        WORDS,
        (),
        "Variables of the worker that tasks may ask for.",
    )
    task_uids: range | None = row(
        UIDS,
        None,
        "User ids for tasks when the worker is root; at default a free block of 1,000 "
        "from 900000 up.",
    )
    python: str | None = row(
        PATH,
        None,
        "The interpreter of python tasks; at default the worker's own.",
    )
    python_ahead: bool = row(
        FLAG,
        True,
        "The interpreter of a python task starts before the task's instant, and waits "
        "for it.",
    )
    http_allow: tuple[str, ...] = row(
        WORDS,
        (),
        "Hosts and networks (CIDR) that http tasks may reach beside public addresses.",
    )
    log_level: str = row(_LEVEL, "info", _LEVEL_MEANING)
    log_format: str = row(_FORMAT, "auto", _FORMAT_MEANING)


class Client(Section):
    """The command line client."""

    api_url: str = row(
        URLS,
        _SERVICE,
        "The service's address; of a service with many nodes those of some, which are "
        "tried in turn when one does not answer.",
        short="CRONY_API_URL",
        option="--api",
    )
    key: str | None = row(
        TEXT,
        None,
        "The key to work with; better a key_file.",
        short="CRONY_KEY",
        secret=True,
    )
    key_file: str | None = row(
        PATH,
        None,
        "A file with the key to work with; - is standard input. At default the admin "
        "key of the service on this machine.",
        short="CRONY_KEY_FILE",
    )
    output: str = row(
        choice("text", "json"),
        "text",
        "text: tables for people; json: what the service answered.",
        option="--json",
    )


class Settings(NamedTuple):
    """Everything a program was told, resolved and checked."""

    api: Api
    storage: Storage
    worker: Worker
    client: Client


SECTIONS: Mapping[str, type[Section]] = {
    "api": Api,
    "storage": Storage,
    "worker": Worker,
    "client": Client,
}


def rows() -> tuple[Setting, ...]:
    """Return every setting, in the order of the sample file."""
    return tuple(
        setting
        for section, made in SECTIONS.items()
        for setting in settings_of(section, made)
    )
