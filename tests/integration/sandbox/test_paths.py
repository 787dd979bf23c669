"""Paths and the network that an operator allows, and a schedule asks for."""

import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.conftest import (
    CONFINED,
    LANDLOCK,
    started_stand,
)
from tests.integration.sandbox.stand import Refused, Stand


@pytest.fixture(scope="session")
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


@pytest.fixture(params=[*CONFINED, *LANDLOCK], scope="session")
def generous(request: pytest.FixtureRequest, shared: Path) -> Iterator[Stand]:
    """Start a worker whose operator allows paths and the host's network."""
    stand = started_stand(
        request.param,
        shared / f"state-{request.param}",
        allow_network_host=True,
        allowed_ro=[str(shared / "read"), "/etc/hostname"],
        allowed_rw=[str(shared / "write")],
    )
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
    (path / "new").unlink()


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
    link.unlink()


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


def test_a_task_never_runs_as_root(any_stand: Stand) -> None:
    owners = []
    for slot, key in enumerate(("one", "other"), 1):
        argv = ["/bin/sleep", "60"]
        told = any_stand.tell("prepare", key=key, argv=argv, slot=slot)
        any_stand.tell("release", key=key)
        owners.append(_owner(told["outer_pid"]))
    for key in ("one", "other"):
        any_stand.tell("kill", key=key)
        any_stand.wait(key)
    if any_stand.plain:
        assert set(owners) == {_owner(any_stand.process.pid)}
        assert 0 not in owners
    else:
        # Each slot's is its own.
        assert len(set(owners)) == 2
        assert min(owners) >= 900_000


def _owner(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("Uid:"))
    (owner,) = set(line.split()[1:])
    return int(owner)
