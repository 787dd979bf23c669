"""Final reports survive whatever becomes of the worker."""

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

from crony.worker.outbox import Entry, Outbox, entry_of
from tests.unit.worker.factories import seconds

#: Puts reports into an outbox for ever, and says so after each.
_WRITER = """
import sys
from pathlib import Path
from crony.worker.outbox import Outbox, entry_of
box = Outbox(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    items = [{"run": f"run_{number}", "token": 1, "state": "succeeded"}]
    box.put(entry_of((f"run_{number}", 1), items))
    print(number, flush=True)
"""


def put(box: Outbox, run: str, token: int = 1) -> None:
    """Put a small report into an outbox."""
    items = [{"run": run, "token": token, "state": "failed"}]
    box.put(entry_of((run, token), items))


def runs(box: Outbox) -> list[str]:
    """Return the runs whose reports wait, oldest first."""
    return [entry.key[0] for entry in box.first(100)]


def test_reports_come_out_in_the_order_they_went_in(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    for run in ("run_c", "run_a", "run_b"):
        put(box, run)
    assert runs(box) == ["run_c", "run_a", "run_b"]
    assert runs(Outbox(tmp_path)) == ["run_c", "run_a", "run_b"]


def test_two_attempts_of_a_run_are_two_reports(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    put(box, "run_a", 1)
    put(box, "run_a", 2)
    box.acknowledge(("run_a", 1))
    assert Outbox(tmp_path).keys() == (("run_a", 2),)


def test_an_acknowledged_report_is_gone_from_the_disk(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    put(box, "run_a")
    box.acknowledge(("run_a", 1))
    assert box.first(10) == []
    assert list(tmp_path.iterdir()) == []


def test_new_reports_go_behind_those_found_at_the_start(tmp_path: Path) -> None:
    put(Outbox(tmp_path), "run_old")
    later = Outbox(tmp_path)
    put(later, "run_new")
    assert runs(Outbox(tmp_path)) == ["run_old", "run_new"]


def test_what_was_put_is_there_after_a_kill(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    with writer.stdout:
        for line in writer.stdout:
            if int(line) == 50:
                break
        os.kill(writer.pid, signal.SIGKILL)
        told = 50 + len(writer.stdout.read().split())
    writer.wait()
    found = runs_of_all(Outbox(tmp_path))
    assert found[:told] == [f"run_{n}" for n in range(1, told + 1)]


def runs_of_all(box: Outbox) -> list[str]:
    """Return all runs whose reports wait."""
    return [entry.key[0] for entry in box.first(1_000_000)]


def test_a_half_written_report_is_put_aside_and_the_others_come_out(
    tmp_path: Path,
) -> None:
    box = Outbox(tmp_path)
    put(box, "run_a")
    put(box, "run_b")
    first = min(tmp_path.glob("*.json"))
    first.write_bytes(first.read_bytes()[:40])
    assert runs(Outbox(tmp_path)) == ["run_b"]
    assert [path.suffix for path in tmp_path.iterdir()].count(".damaged") == 1


def test_a_disk_that_refuses_leaves_the_report_in_memory(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox")
    (tmp_path / "outbox").rmdir()
    put(box, "run_a")
    assert runs(box) == ["run_a"]
    assert box.keys() == (("run_a", 1),)
    box.acknowledge(("run_a", 1))
    assert box.keys() == ()


def test_reports_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    put(Outbox(tmp_path), "run_a")
    (written,) = tmp_path.glob("*.json")
    assert written.stat().st_mode & 0o077 == 0


def test_a_large_report_is_read_back_from_the_disk(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    log = [{"stream": "stdout", "offset": 0, "data": "eHh4" * 50_000, "dropped": 0}]
    box.put(entry_of(("run_a", 1), [{"run": "run_a", "token": 1, "log": log}]))
    (entry,) = box.first(10)
    assert entry.items[0]["log"] == log


def test_how_long_ago_it_ended_counts_on_the_clock_of_that_boot() -> None:
    entry = Entry(("run_a", 1), [], seconds(100), "this", 5000.0)
    assert entry.finished_ago(now=seconds(130), boot="this", wall=0) == seconds(30)


def test_after_a_boot_the_wall_clock_must_do() -> None:
    entry = Entry(("run_a", 1), [], seconds(100), "last", 5000.0)
    assert entry.finished_ago(now=seconds(1), boot="this", wall=5060) == seconds(60)
    assert entry.finished_ago(now=seconds(1), boot="this", wall=4000) == seconds(0)


def test_a_report_that_is_put_off_lets_the_others_go_first(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    for run in ("run_a", "run_b", "run_c"):
        put(box, run)
    box.postpone(("run_a", 1))
    assert runs(box) == ["run_b", "run_c", "run_a"]


def test_what_waits_in_memory_alone_lets_nothing_new_in_until_it_is_taken(
    tmp_path: Path,
) -> None:
    rooms: list[bool] = []
    box = Outbox(tmp_path / "outbox", room=lambda: rooms.append(box.full))
    assert not box.full
    (tmp_path / "outbox").rmdir()
    put(box, "run_a")
    assert box.full
    box.acknowledge(("run_a", 1))
    assert rooms == [False]


def test_the_outbox_tells_when_it_is_empty(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    assert box.wait_empty(timedelta(0))
    put(box, "run_a")
    assert not box.wait_empty(timedelta(0))
    taker = threading.Timer(0.05, box.acknowledge, args=(("run_a", 1),))
    taker.start()
    assert box.wait_empty(timedelta(seconds=10))
    taker.join()


def test_what_was_acknowledged_meanwhile_needs_no_synchronising(
    tmp_path: Path,
) -> None:
    box = Outbox(tmp_path)
    put(box, "run_a")
    put(box, "run_b")
    next(tmp_path.glob("*run_a*")).unlink()
    box.sync()
    assert Outbox(tmp_path).keys() == (("run_b", 1),)
