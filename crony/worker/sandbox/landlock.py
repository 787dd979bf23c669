"""The level ``landlock``: no namespaces; paths, sockets and calls are refused.

It hides no processes, bounds no disk but a file's size, and gives a run no /tmp
of its own (``TMPDIR`` is in its workspace). For hosts where user namespaces are
forbidden.
"""

import inspect
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from crony import errors
from crony.worker.sandbox import confine, seccomp
from crony.worker.sandbox.allowed import Allowed
from crony.worker.sandbox.cgroups import Hierarchy
from crony.worker.sandbox.direct import DirectSandbox
from crony.worker.sandbox.pipes import Pipes
from crony.worker.sandbox.places import Places
from crony.worker.sandbox.spawner import Spawner, lifted
from crony.worker.sandbox.values import Limits

#: Before this version a run could cut off files past the rules.
_LEAST = 3

_READS = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc"),
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"),
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates"),
    *("/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted"),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf"),
    *("/etc/protocols", "/etc/services"),
)
_NETWORK_READS = ("/etc/resolv.conf", "/etc/hosts")
_WRITES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

#: The first of the descriptors that are paths of the host.
_PLACES = 10


class LandlockSandbox(DirectSandbox):
    """Start runs that Landlock confines."""

    level = "landlock"

    def __init__(
        self,
        allowed: Allowed,
        spawner: Spawner,
        *,
        homes: Path,
        groups: Hierarchy | None,
        task_uids: range | None,
        runtime: Sequence[str],
    ) -> None:
        if confine.version() < _LEAST:
            raise errors.MissingSafeguard(
                "this kernel has no Landlock, or one before version 3 (Linux 6.2)"
            )
        super().__init__(
            allowed, spawner, homes=homes, groups=groups, task_uids=task_uids
        )
        self._runtime = tuple(runtime)
        self._text = inspect.getsource(confine)
        self._filters = {
            network: seccomp.program(
                counted=groups is not None, on_nosuid=False, sockets=network
            ).hex()
            for network in (True, False)
        }

    def describe(self) -> str:
        groups = "no control groups" if self._groups is None else "control groups"
        return (
            f"{self.level}: version {confine.version()}, seccomp, {groups}; "
            "other processes can be seen"
        )

    def _confine(
        self, limits: Limits, home: Path, places: Places, pipes: Pipes
    ) -> Sequence[str]:
        # SECURITY: what was checked, and not what has its name by then.
        held: dict[bool, list[int]] = {False: [], True: []}
        for number, place in enumerate(places, _PLACES):
            pipes.pass_on({number: lifted(os.dup(place.fd))})
            held[place.writable].append(number)
        network = limits.network == "host"
        wanted = {
            "reads": [
                *_READS,
                *(_NETWORK_READS if network else ()),
                *self._runtime,
                *held[False],
            ],
            "writes": [*_WRITES, *held[True], str(home)],
            "network": network,
            "filter": self._filters[network],
        }
        return (sys.executable, "-I", "-S", "-c", self._text, json.dumps(wanted))
