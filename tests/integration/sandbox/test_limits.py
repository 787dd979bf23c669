"""Memory, processes, disk and time of a processor: bounded, and named when exceeded."""

import json

import pytest

from tests.integration.sandbox.attacks import attack
from tests.integration.sandbox.conftest import ROOT, Stands
from tests.integration.sandbox.stand import Result, Stand

_MIB = 1 << 20


def _attack(
    stand: Stand, name: str, given: dict[str, object], **limits: object
) -> Result:
    return stand.python(attack(name), json.dumps(given), limits=limits)


class TestMemory:
    #: Four processes of this much each are more than the limit, one is not.
    SHARE = 40 * _MIB
    LIMIT = 100 * _MIB

    def test_processes_together_exceed_it_where_nothing_confines(
        self, unconfined: Stand
    ) -> None:
        given = {"share": self.SHARE}
        result = _attack(unconfined, "much_memory", given, memory=self.LIMIT)
        assert "breach" in result.out

    def test_processes_together_are_killed_for_it(self, confined: Stand) -> None:
        # Where there are no groups it is noticed within 100 ms.
        given = {"share": self.SHARE, "hold": 5}
        result = _attack(confined, "much_memory", given, memory=self.LIMIT)
        assert "breach" not in result.out
        assert result.oom
        assert result.signal == "SIGKILL"

    def test_one_process_alone_does_not_get_more(self, any_stand: Stand) -> None:
        code = f"held = bytearray({200 * _MIB}); print(sum(held[::4096]), 'breach')"
        result = any_stand.python(code, limits={"memory": self.LIMIT})
        assert "breach" not in result.out
        assert result.oom or "MemoryError" in result.err

    def test_a_run_within_it_is_not_blamed(self, confined: Stand) -> None:
        code = f"held = bytearray({30 * _MIB}); print(len(held))"
        result = confined.python(code, limits={"memory": self.LIMIT})
        assert (result.exit_code, result.oom) == (0, False)

    def test_files_without_content_count(self, stands: Stands) -> None:
        code = "for n in range(200_000): open(f'/tmp/{n}', 'x').close()"
        result = stands.get("plain-namespaces").python(
            code + "\nprint('breach')\nimport signal; signal.pause()",
            limits={"memory": self.LIMIT},
        )
        assert result.oom
        assert result.signal == "SIGKILL"


class TestProcesses:
    def test_there_is_no_bound_where_nothing_confines(self, unconfined: Stand) -> None:
        assert (
            "breach" in _attack(unconfined, "many_processes", {"most": 20}, pids=20).out
        )

    def test_no_more_are_made_than_allowed(self, confined: Stand) -> None:
        result = _attack(confined, "many_processes", {"most": 20}, pids=20)
        assert "breach" not in result.out
        assert "unavailable" in result.out

    def test_as_many_as_allowed_can_be_made(self, confined: Stand) -> None:
        given = {"most": 6}
        assert "breach" in _attack(confined, "many_processes", given, pids=20).out


class TestDisk:
    #: Files of one MiB, and a limit that holds fewer.
    FILES = 8
    LIMIT = 4 * _MIB

    def test_many_small_files_exceed_it_where_nothing_confines(
        self, unconfined: Stand
    ) -> None:
        given = {"places": ["."], "files": self.FILES}
        result = _attack(unconfined, "much_disk", given, disk=self.LIMIT)
        assert "breach" in result.out

    @pytest.mark.parametrize("place", [".", "/workspace", "/tmp", "/dev/shm"])
    def test_every_place_that_can_be_written_is_bounded(
        self, confined: Stand, place: str
    ) -> None:
        given = {"places": [place], "files": self.FILES}
        result = _attack(confined, "much_disk", given, disk=self.LIMIT)
        assert "breach" not in result.out
        assert "No space left" in result.out

    @pytest.mark.parametrize("place", ["/", "/dev", "/etc", "/usr", "/proc"])
    def test_nothing_else_can_be_written(self, confined: Stand, place: str) -> None:
        given = {"places": [place], "files": 1}
        assert "breach" not in _attack(confined, "much_disk", given).out

    def test_one_file_is_bounded_at_every_level(self, any_stand: Stand) -> None:
        code = "open('x', 'wb').write(bytes(6 << 20)); print('breach')"
        result = any_stand.python(code, limits={"disk": self.LIMIT})
        assert "breach" not in result.out


if ROOT:

    def test_the_peak_is_reported(stands: Stands) -> None:
        code = f"held = bytearray(b'x') * {30 * _MIB}; print(len(held))"
        result = stands.get("root-full").python(code)
        assert result.memory_peak is not None
        assert 30 * _MIB < result.memory_peak < 80 * _MIB

    def test_cores_are_shared_out(stands: Stands) -> None:
        code = (
            "import time; begun = time.monotonic(); spent = time.process_time\n"
            "while time.monotonic() < begun + 1: pass\n"
            "print(spent())"
        )
        half = stands.get("root-full").python(code, limits={"cpu": 0.3})
        assert float(half.out) < 0.5
        assert half.cpu is not None
        assert half.cpu == pytest.approx(float(half.out), abs=0.15)


def test_no_core_is_dumped(any_stand: Stand) -> None:
    result = any_stand.run("/bin/sh", "-c", "ulimit -c; ulimit -Hc; kill -QUIT $$")
    assert result.out == "0\n0\n"
    assert result.signal == "SIGQUIT"
