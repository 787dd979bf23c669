"""A worker's directory and the locks in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crony import errors
from crony.worker import places

_HOLDER = """
import sys
from pathlib import Path
from crony.worker import places
places.lock_sandboxes(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_worker_of_the_same_name_is_refused(tmp_path: Path) -> None:
    first = places.lock_worker(tmp_path)
    with pytest.raises(errors.InUse, match="runs already"):
        places.lock_worker(tmp_path)
    os.close(first)
    os.close(places.lock_worker(tmp_path))


def test_a_new_worker_waits_for_whoever_holds_the_sandboxes(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder.stdin, holder.stdout:
        assert holder.stdout.readline() == b"held\n"
        waiter = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(tmp_path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert waiter.stdout is not None
        with waiter.stdout:
            with pytest.raises(subprocess.TimeoutExpired):
                waiter.wait(timeout=1)
            holder.kill()
            holder.wait()
            assert waiter.stdout.readline() == b"held\n"
        waiter.wait()


def test_the_directory_is_its_owners_alone(tmp_path: Path) -> None:
    made = places.make(tmp_path, "host-a")
    assert made == tmp_path / "worker" / "host-a"
    assert made.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../up", "", "UPPER", "a/b", ".hidden"])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.InvalidSetting):
        places.directory(tmp_path, name)
