"""The proof of a level: a run that tries to get out, before any task is run."""

import os
import secrets
import select
import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from crony import errors
from crony.worker.sandbox.contract import Prepared, Sandbox
from crony.worker.sandbox.values import Command, Limits, Operator

_WITHIN = timedelta(seconds=30)

#: A shell and its own commands only: it must run on every host.
_ATTACK = """
secret=$1; outside=$2; port=$3
if ( read -r line <"$secret" ) 2>/dev/null; then echo "read the worker's key"; fi
for place in "$outside" /usr /etc /; do
  if ( : >"$place/crony-selftest-$$" ) 2>/dev/null; then echo "wrote in $place"; fi
done
while read -r _ local _; do
  case $local in *":$port") echo "saw the host's network" ;; esac
done 2>/dev/null </proc/net/tcp
count=0
for process in /proc/[0-9]*; do count=$((count + 1)); done
echo "processes $count"
echo done
"""

#: The gate and the shell of the test itself, and one to spare.
_FEW = 3


def prove(sandbox: Sandbox, operator: Operator) -> None:
    """Run the attack; ``SandboxFailed`` says what it could do."""
    secret = operator.state_dir / f"selftest-{secrets.token_hex(6)}"
    outside = operator.state_dir / f"{secret.name}.d"
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        secret.write_text("a key\n")
        secret.chmod(0o600)
        outside.mkdir(mode=0o777)
        port = f"{listener.getsockname()[1]:04X}"
        said = _run(
            sandbox,
            ("/bin/sh", "-c", _ATTACK, "sh", str(secret), str(outside), port),
        )
    finally:
        listener.close()
        with suppress(FileNotFoundError):
            secret.unlink()
        _remove(outside)
    _judge(sandbox.level, said)


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


def _judge(level: str, said: list[str]) -> None:
    if not said or said[-1] != "done":
        raise errors.SandboxFailed("the self-test did not come to its end")
    if level == "none":
        return
    found = [line for line in said[:-1] if not line.startswith("processes ")]
    count = next(int(line.split()[1]) for line in said if line.startswith("processes"))
    if level == "landlock":
        # It hides no processes, and the list of sockets is no way to a host.
        found = [line for line in found if "network" not in line]
    elif count > _FEW:
        found.append(f"saw {count} processes")
    if found:
        raise errors.SandboxFailed(f"the self-test {', '.join(found)}")


def _run(sandbox: Sandbox, argv: tuple[str, ...]) -> list[str]:
    limits = Limits(memory=64 << 20, disk=1 << 20, pids=16)
    prepared = sandbox.prepare(
        f"selftest-{os.getpid()}", Command(argv=argv), limits, slot=0
    )
    try:
        prepared.wait_ready(_WITHIN)
        prepared.release()
        poll = select.poll()
        poll.register(prepared.pidfd, select.POLLIN)
        if not poll.poll(_WITHIN / timedelta(milliseconds=1)):
            raise errors.SandboxFailed("the self-test did not come to its end")
        prepared.wait()
        return _read(prepared).decode(errors="replace").splitlines()
    finally:
        prepared.close()


def _read(prepared: Prepared) -> bytes:
    with suppress(BlockingIOError):
        return os.read(prepared.stdout, 65536)
    return b""
