"""The events of changes, and refusals, as all drivers word them."""

from dataclasses import replace

import pytest

from crony.storage import changes
from crony.testing import factories


def test_an_edit_is_told_by_what_it_means() -> None:
    schedule = factories.make_schedule()
    paused = replace(
        schedule, revision=2, definition=replace(schedule.definition, paused=True)
    )
    renamed = replace(schedule, revision=2)
    assert changes.of_update(schedule, paused) == ["paused"]
    assert changes.of_update(paused, schedule) == ["resumed"]
    assert changes.of_update(schedule, renamed) == ["updated"]
    assert changes.of_update(schedule, schedule) == []


def test_a_pause_that_the_group_has_too_is_told_once() -> None:
    schedule = factories.make_schedule(paused=True)
    held = replace(schedule, held=True)
    assert changes.of_update(schedule, held) == []


def test_an_edit_after_which_nothing_is_due_is_also_the_end() -> None:
    schedule = factories.make_schedule()
    ended = replace(schedule, revision=2, cursor=None)
    assert changes.of_update(schedule, ended) == ["updated", "finished"]
    assert changes.of_update(ended, replace(ended, revision=3)) == ["updated"]


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ((), True),
        (("run.failed",), True),
        (("run.*",), True),
        (("schedule.*", "run.failed"), True),
        (("run.succeeded",), False),
        (("schedule.*",), False),
        (("run",), False),
    ],
)
def test_events_are_wanted_by_type_or_noun(
    types: tuple[str, ...],
    wanted: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    assert changes.wanted("run.failed", types) is wanted


def test_a_worker_that_registered_is_online() -> None:
    worker = factories.make_worker(name="host-a")
    assert changes.worker_data(worker, "registered")["state"] == "online"
    assert changes.worker_data(worker, "lost") == {
        "id": worker.id,
        "name": "host-a",
        "state": "lost",
    }


def test_whoever_removes_a_profile_in_use_reads_who_uses_it() -> None:
    schedules = [f"s{number}" for number in range(7)]
    refusal = changes.profile_in_use(
        "heavy", schedules=schedules, groups=["reports"], tenants=[]
    )
    assert str(refusal) == (
        "the profile heavy is used by 7 schedules (s0, s1, s2, s3, s4, …),"
        " 1 group (reports)"
    )
