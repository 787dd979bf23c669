"""Paths and the network that an operator allows, and a schedule asks for."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.conftest import CONFINED, LANDLOCK, ROOT
from tests.integration.sandbox.stand import PLAIN_UID, Refused, Stand


@pytest.fixture
def shared() -> Iterator[Path]:
    """Make folders an operator may allow: one to read, one to write."""
    with tempfile.TemporaryDirectory(prefix="crony-paths-", dir="/var/tmp") as base:
        root = Path(base)
        root.chmod(0o755)
        for name in ("read", "write", "secret"):
            (root / name).mkdir(mode=0o755)
            (root / name / "file").write_text(name)
        (root / "write").chmod(0o777)
        yield root


@pytest.fixture(params=[*CONFINED, *LANDLOCK])
def generous(request: pytest.FixtureRequest, shared: Path) -> Iterator[Stand]:
    """Start a worker whose operator allows paths and the host's network."""
    who, level = request.param.split("-")
    if who == "root" and not ROOT:
        pytest.skip("needs root")
    stand = Stand(
        level,
        shared / "state",
        plain=who == "plain",
        allow_network_host=True,
        allowed_ro=[str(shared / "read"), "/etc/hostname"],
        allowed_rw=[str(shared / "write")],
    )
    assert stand.missing is None, stand.missing
    yield stand
    stand.close()


def test_an_allowed_path_is_read_and_not_written(generous: Stand, shared: Path) -> None:
    path = shared / "read"
    limits = {"ro_paths": [str(path)]}
    code = f"cat {path}/file; echo x >{path}/new"
    result = generous.run("/bin/sh", "-c", code, limits=limits)
    assert result.out == "read"
    assert result.exit_code != 0
    assert not (path / "new").exists()


def test_an_allowed_path_is_written(generous: Stand, shared: Path) -> None:
    path = shared / "write"
    limits = {"rw_paths": [str(path)]}
    result = generous.run("/bin/sh", "-c", f"echo x >{path}/new", limits=limits)
    assert result.exit_code == 0
    assert (path / "new").read_text() == "x\n"


def test_what_was_not_asked_for_is_not_there(generous: Stand, shared: Path) -> None:
    result = generous.run("/bin/cat", str(shared / "read" / "file"))
    assert result.exit_code == 1


def test_a_file_of_etc_can_be_shown_beside_the_others(generous: Stand) -> None:
    limits = {"ro_paths": ["/etc/hostname"]}
    result = generous.run("/bin/cat", "/etc/hostname", "/etc/passwd", limits=limits)
    assert result.exit_code == 0
    assert result.out.startswith(Path("/etc/hostname").read_text())


def test_a_link_does_not_lead_out_of_what_is_allowed(
    generous: Stand, shared: Path
) -> None:
    link = shared / "write" / "link"
    link.symlink_to(shared / "secret")
    with pytest.raises(Refused, match="link"):
        generous.prepare("/bin/true", limits={"rw_paths": [str(link)]})


def test_a_parent_of_what_is_allowed_is_refused(generous: Stand, shared: Path) -> None:
    for path in (shared, f"{shared}/read/../secret", f"{shared}/reader"):
        with pytest.raises(Refused, match="paths this worker allows"):
            generous.prepare("/bin/true", limits={"ro_paths": [str(path)]})


def test_the_host_s_network_is_there_when_it_is_allowed_and_asked_for(
    generous: Stand,
) -> None:
    code = (
        "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        for network, expected in (("host", 0), ("none", 1)):
            result = generous.run(
                sys.executable, "-c", code, port, limits={"network": network}
            )
            assert result.exit_code == expected, result.err


def test_a_task_never_runs_as_root(generous: Stand) -> None:
    if generous.plain:
        pytest.skip("a plain user's worker")
    one = generous.prepare("/bin/sleep", "60", slot=1)
    other = generous.prepare("/bin/sleep", "60", slot=2)
    owners = []
    for key in (one, other):
        generous.tell("release", key=key)
        pids = Path(f"/proc/{generous.process.pid}/task/").glob("*/children")
        owners = [
            os.stat(f"/proc/{pid}").st_uid
            for f in pids
            for pid in f.read_text().split()
        ]
    for key in (one, other):
        generous.tell("kill", key=key)
        generous.wait(key)
    assert len(owners) == 2
    assert len(set(owners)) == 2
    assert all(owner >= 900_000 for owner in owners)
    assert PLAIN_UID not in owners
