"""Which start of a worker it is: a number that only grows."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from crony.worker.places import next_start


def test_each_start_of_a_worker_has_a_higher_number(tmp_path: Path) -> None:
    assert next_start(tmp_path) < next_start(tmp_path) < next_start(tmp_path)
    (kept,) = tmp_path.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_clock_that_was_set_back_lowers_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next_start(tmp_path)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert next_start(tmp_path) == first + 1


@pytest.mark.parametrize("kept", ["", "not a number"])
def test_a_number_that_was_lost_is_made_anew(tmp_path: Path, kept: str) -> None:
    (tmp_path / "starts").write_text(kept)
    assert next_start(tmp_path) > 1_700_000_000_000
