"""Wakes reach who waits, in this process and in the others of the host."""

from __future__ import annotations

import queue
import socket
from pathlib import Path

import pytest

from crony import errors
from crony.scheduler.wakes import Wake, Wakes


def _heard(wakes: Wakes) -> queue.SimpleQueue[Wake]:
    heard: queue.SimpleQueue[Wake] = queue.SimpleQueue()
    wakes.subscribe(heard.put)
    return heard


def test_a_wake_reaches_the_neighbours(tmp_path: Path) -> None:
    one, other = Wakes(tmp_path / "run"), Wakes(tmp_path / "run")
    heard = _heard(other)
    one.open()
    other.open()
    try:
        one.publish(frozenset({("default", "gpu")}))
        assert heard.get(timeout=10) == Wake(ready=frozenset({("default", "gpu")}))
        one.publish_worker("wrk_1")
        assert heard.get(timeout=10).workers == {"wrk_1"}
        one.publish_run("run_1")
        assert heard.get(timeout=10).runs == {"run_1"}
        one.publish_tick()
        assert heard.get(timeout=10).tick
        one.publish_events()
        assert heard.get(timeout=10) == Wake(events=True)
    finally:
        one.close()
        other.close()
    assert list((tmp_path / "run").iterdir()) == []


def test_many_items_come_in_several_datagrams(tmp_path: Path) -> None:
    one, other = Wakes(tmp_path), Wakes(tmp_path)
    tmp_path.chmod(0o700)
    heard = _heard(other)
    one.open()
    other.open()
    runs = frozenset(f"run_{number}" for number in range(450))
    try:
        one.publish_runs(runs)
        parts = [heard.get(timeout=10).runs for _ in range(3)]
    finally:
        one.close()
        other.close()
    assert frozenset().union(*parts) == runs


def test_the_socket_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    wakes = Wakes(folder)
    wakes.open()
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(f"/proc/self/fd/{wakes._neighbours._folder}/1-dead.sock")  # type: ignore[union-attr]
    dead.close()
    try:
        wakes.publish_tick()
        names = [path.name for path in folder.iterdir()]
    finally:
        wakes.close()
    assert "1-dead.sock" not in names
    assert len(names) == 1


def test_a_full_neighbour_delays_nobody(tmp_path: Path) -> None:
    wakes = Wakes(tmp_path / "run")
    wakes.open()
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    deaf.bind(str(tmp_path / "run" / "1-deaf.sock"))
    try:
        for _ in range(2_000):
            wakes.publish_tick()
        assert (tmp_path / "run" / "1-deaf.sock").exists()
    finally:
        wakes.close()
        deaf.close()


def test_nonsense_from_a_neighbour_is_passed_over(tmp_path: Path) -> None:
    wakes = Wakes(tmp_path / "run")
    heard = _heard(wakes)
    wakes.open()
    (own,) = (tmp_path / "run").iterdir()
    speaker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        for data in (b"{", b"[]", b'{"ready": 1}', b"\xff", b'{"tick": true}'):
            speaker.sendto(data, str(own))
        assert heard.get(timeout=10) == Wake(tick=True)
    finally:
        speaker.close()
        wakes.close()


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(errors.MissingSafeguard):
        Wakes(tmp_path).open()


def test_one_failing_listener_does_not_deafen_the_others() -> None:
    wakes = Wakes()

    def fail(wake: Wake) -> None:
        raise ValueError

    wakes.subscribe(fail)
    heard = _heard(wakes)
    wakes.publish_tick()
    assert heard.get_nowait().tick


def test_who_unsubscribed_hears_nothing_more() -> None:
    wakes = Wakes()
    heard: list[Wake] = []
    wakes.subscribe(heard.append)()
    wakes.publish_tick()
    assert heard == []
