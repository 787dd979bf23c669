"""`crony apply`: many schedules from files, against a real service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crony.client import Client
from tests.integration.cli.conftest import Shell

pytestmark = pytest.mark.xdist_group("cli-apply")


def lines(*schedules: object) -> str:
    return "".join(json.dumps(schedule) + "\n" for schedule in schedules)


def schedule(name: str, **members: object) -> dict[str, object]:
    return {"name": name, "cron": "@daily", "task": {"command": "date"}, **members}


def test_each_schedule_is_told_with_what_became_of_it(
    crony: Shell, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text(lines(schedule("a-one"), schedule("a-two", priority=3)))
    out = crony("apply", str(path)).ok()
    assert out == "created    a-one\ncreated    a-two\n"
    assert crony("apply", str(path)).ok() == "unchanged  a-one\nunchanged  a-two\n"
    path.write_text(lines(schedule("a-one"), schedule("a-two", priority=4)))
    assert crony("apply", str(path)).ok() == "unchanged  a-one\nchanged    a-two\n"
    assert client.get_schedule("a-two")["priority"] == 4


def test_one_that_is_refused_names_its_line_and_spoils_no_other(
    crony: Shell, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "jobs.jsonl"
    bad = schedule("b-bad", cron="61 * * * *", tusk=1)
    path.write_text("\n" + lines(schedule("b-one"), bad, schedule("b-two")))
    done = crony("apply", str(path))
    assert done.code == 1
    one, refused, two = done.out.splitlines()
    assert (one, two) == ("created    b-one", "created    b-two")
    assert refused.startswith(f"refused    b-bad ({path}:3): ")
    assert "cron: " in refused
    assert 'tusk: unknown field; did you mean "task"?' in refused


def test_what_was_listed_can_be_applied_again(crony: Shell, tmp_path: Path) -> None:
    names = [f"copy-{number}" for number in range(3)]
    text = json.dumps([schedule(name) for name in names])
    crony("apply", "-", stdin=text).ok()
    listed = crony("ls", "copy-", "--sort", "name", "--json").ok()
    out = crony("apply", "-", stdin=listed).ok()
    assert out == "".join(f"unchanged  {name}\n" for name in names)


def test_results_are_json_on_request(crony: Shell) -> None:
    text = json.dumps([schedule("j"), {"name": "j-bad"}])
    done = crony("apply", "--json", "-", stdin=text)
    assert done.code == 1
    good, bad = json.loads(done.out)["results"]
    assert (good["outcome"], good["schedule"]["name"]) == ("created", "j")
    assert (bad["outcome"], bad["place"]) == ("refused", "stdin[1]")
    assert bad["problem"]["status"] == 422


def test_more_than_one_request_may_hold_are_applied_and_found_again(
    crony: Shell,
) -> None:
    text = lines(*(schedule(f"many-{number}") for number in range(1100)))
    out = crony("apply", "-", stdin=text).ok().splitlines()
    assert (len(out), out[0], out[-1]) == (
        1100,
        "created    many-0",
        "created    many-1099",
    )
    again = crony("apply", "-", stdin=text).ok()
    assert again.count("unchanged") == 1100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}\n{\n", "stdin:2 is not JSON"),
        ("[1]", "stdin[0] is no schedule"),
        ('"text"', "stdin[0] is no schedule"),
    ],
)
def test_a_file_without_schedules_is_wrong_usage_and_nothing_is_done(
    crony: Shell, text: str, said: str
) -> None:
    done = crony("apply", "-", stdin=text)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""
