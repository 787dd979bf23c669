"""Connections are kept as long as they are as good as new."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from crony import errors
from crony.storage.sql import pool as module
from crony.storage.sql.pool import Pool


@dataclass(eq=False)
class Driver:
    """A connection of nothing."""

    clean: bool = True
    usable: bool = True
    closed: bool = False

    def close(self) -> None:
        self.closed = True


def made(*, kept: int = 2, most: int = 3) -> tuple[Pool[Driver], list[Driver]]:
    """Return a pool, and the list of what it has made."""
    all_made: list[Driver] = []

    def make() -> Driver:
        all_made.append(Driver())
        return all_made[-1]

    pool = Pool(
        make,
        Driver.close,
        usable=lambda each: each.usable,
        clean=lambda each: each.clean,
        kept=kept,
        most=most,
    )
    return pool, all_made


def test_the_one_that_came_back_last_goes_out_first() -> None:
    pool, _ = made()
    first, second = pool.take(), pool.take()
    pool.give_back(first)
    pool.give_back(second)
    assert pool.take() is second


def test_what_came_back_in_a_bad_state_is_closed() -> None:
    pool, _ = made()
    first = pool.take()
    first.clean = False
    pool.give_back(first)
    assert first.closed
    assert pool.take() is not first


def test_one_that_went_bad_while_it_was_idle_is_replaced() -> None:
    pool, _ = made()
    first = pool.take()
    pool.give_back(first)
    first.usable = False
    assert pool.take() is not first
    assert first.closed


def test_only_so_many_are_kept_and_only_so_many_are_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, all_made = made(kept=1, most=2)
    out = [pool.take(), pool.take()]
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    with pytest.raises(errors.StoreUnavailable, match="no free connection"):
        pool.take()
    for each in out:
        pool.give_back(each)
    assert [each.closed for each in all_made] == [False, True]


def test_a_place_is_free_again_when_no_connection_could_be_made() -> None:
    def fail() -> Driver:
        raise OSError

    pool = Pool(fail, Driver.close, usable=bool, clean=bool, kept=1, most=1)
    for _ in range(3):
        with pytest.raises(OSError):  # noqa: PT011  # it is the driver's own
            pool.take()


def test_those_that_are_out_when_it_is_closed_are_closed_when_they_are_back() -> None:
    pool, _ = made()
    idle, out = pool.take(), pool.take()
    pool.give_back(idle)
    pool.close()
    assert (idle.closed, out.closed) == (True, False)
    pool.give_back(out)
    assert out.closed


def test_where_one_is_broken_the_idle_ones_go_too() -> None:
    pool, _ = made()
    first, second = pool.take(), pool.take()
    pool.give_back(first)
    pool.drain()
    assert (first.closed, second.closed) == (True, False)
