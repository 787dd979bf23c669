"""`crony crontab import` into a real service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crony.client import Client
from tests.integration.cli.conftest import Done, Shell

pytestmark = pytest.mark.xdist_group("cli-crontab")

CRONTAB = """\
# Jobs of a host, with what real files hold.
SHELL=/bin/bash
MAILTO="ops"

09,39\t*     * * *   [ -x /usr/lib/clean ] && /usr/lib/clean
@reboot  echo started
0 */12 * * mon-fri  perl -e 'sleep int(rand(60))' && renew -q
CRON_TZ=Asia/Tokyo
30 7-23/2 1,15 jan-jun *  mail -s "50\\% full" x%Hello%World
"""


def imported(crony: Shell, label: str) -> dict[str, dict[str, object]]:
    found = json.loads(crony("ls", "--label", f"crontab={label}", "--json").ok())
    return {item["name"]: item for item in found["items"]}


def counts(done: Done) -> str:
    return done.ok().splitlines()[-1]


def test_a_crontab_becomes_schedules_and_the_second_time_nothing(
    crony: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "host-a"
    path.write_text(CRONTAB)
    first = crony("crontab", "import", str(path))
    assert counts(first) == "3 new, 0 changed, 0 unchanged"
    assert f"{path}:3: MAILTO" in first.err
    assert f"{path}:6: @reboot" in first.err

    found = imported(crony, "host-a")
    by_cron = {item["cron"]: item for item in found.values()}
    assert set(by_cron) == {
        "9,39 * * * *",
        "0 */12 * * MON-FRI",
        "30 7-23/2 1,15 JAN-JUN *",
    }
    zones = {item["timezone"] for item in found.values()}
    assert zones == {"Europe/Berlin", "Asia/Tokyo"}
    task = by_cron["30 7-23/2 1,15 JAN-JUN *"]["task"]
    assert isinstance(task, dict)
    assert task["command"] == ["/bin/bash", "-c", 'mail -s "50% full" x']
    assert task["stdin"] == "Hello\nWorld\n"

    assert counts(crony("crontab", "import", str(path))) == (
        "0 new, 0 changed, 3 unchanged"
    )
    after = imported(crony, "host-a")
    assert {n: i["revision"] for n, i in after.items()} == dict.fromkeys(found, 1)


def test_a_dry_run_changes_nothing_and_names_what_a_sandbox_lacks(
    crony: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "host-b"
    path.write_text("0 4 * * * curl -s http://x/ >/var/lib/x\n")
    done = crony("crontab", "import", "--dry-run", str(path))
    assert counts(done).startswith("dry run, nothing was done: 1 new")
    assert f"{path}:1: /var/lib/x" in done.err
    assert "curl: no network" in done.err
    assert imported(crony, "host-b") == {}


def test_an_edited_crontab_is_followed_and_gone_lines_are_pruned(
    crony: Shell, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "host-c"
    path.write_text("1 * * * * a\n2 * * * * b\n")
    crony("crontab", "import", str(path)).ok()
    (kept,) = [
        name
        for name, item in imported(crony, "host-c").items()
        if item["cron"] == "1 * * * *"
    ]
    client.patch_schedule(kept, {"retries": {"max": 4}, "labels": {"team": "ops"}})
    client.pause_schedule(kept)

    path.write_text("V=1\n1 * * * * a\n3 * * * * b\n")
    done = crony("crontab", "import", str(path))
    assert counts(done).startswith("1 new, 1 changed, 0 unchanged, 1 gone")
    found = imported(crony, "host-c")
    assert len(found) == 3
    changed = found[kept]
    task = changed["task"]
    assert isinstance(task, dict)
    assert task["env"]["V"] == "1"
    retries = changed["retries"]
    assert isinstance(retries, dict)
    assert retries["max"] == 4
    assert changed["paused"] is True
    assert changed["labels"] == {"crontab": "host-c", "team": "ops"}

    looked = crony("crontab", "import", "--prune", "--dry-run", str(path))
    assert len(imported(crony, "host-c")) == 3
    assert "gone from the file" in looked.ok()
    assert "1 removed" in counts(crony("crontab", "import", "--prune", str(path)))
    assert sorted(str(i["cron"]) for i in imported(crony, "host-c").values()) == [
        "1 * * * *",
        "3 * * * *",
    ]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("61 * * * * x", "minute 61 is out of 0..59"),
        ("0 0 31 2 * x", "never fires"),
        ("CRON_TZ=Mars/Base\n1 1 1 1 1 x", "Mars/Base"),
    ],
)
def test_one_bad_line_and_nothing_is_imported(
    crony: Shell, tmp_path: Path, bad: str, said: str
) -> None:
    path = tmp_path / "host-d"
    path.write_text(f"1 * * * * fine\n{bad}\n")
    done = crony("crontab", "import", str(path))
    assert done.code == 2
    line = 1 + bad.count("\n") + 1
    assert f"error: {path}:{line}: " in done.err
    assert said in done.err
    assert "--skip-invalid" in done.err
    assert imported(crony, "host-d") == {}

    skipped = crony("crontab", "import", "--skip-invalid", str(path))
    assert counts(skipped) == "1 new, 0 changed, 0 unchanged"
    assert f"skipped: {path}:{line}: " in skipped.err
    crony("rm", *imported(crony, "host-d")).ok()


def test_all_bad_lines_are_named_at_once_and_in_order(
    crony: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "host-g"
    path.write_text("0 0 31 2 * x\n61 * * * * x\n0 0 30 2 * x\n")
    done = crony("crontab", "import", str(path))
    assert done.code == 2
    named = [line for line in done.err.splitlines() if line.startswith("error:")]
    starts = [f"error: {path}:{number}: " for number in (1, 2, 3)]
    assert [line[: len(starts[0])] for line in named] == starts
    assert "3 lines can't be imported" in done.err

    alone = crony("crontab", "import", "--api", "http://127.0.0.1:1", str(path))
    assert alone.code == 2
    assert f"error: {path}:2: minute 61" in alone.err


def test_a_system_crontab_labels_its_users(crony: Shell, tmp_path: Path) -> None:
    path = tmp_path / "host-e"
    path.write_text("1 * * * *\twww-data\tx\n")
    done = crony("crontab", "import", "--system", "--queue", "batch", str(path))
    done.ok()
    assert "user www-data (line 1) becomes a label" in done.err
    (item,) = imported(crony, "host-e").values()
    assert item["labels"] == {"crontab": "host-e", "user": "www-data"}
    assert item["queue"] == "batch"


def test_standard_input_is_read_and_the_answer_may_be_json(crony: Shell) -> None:
    done = crony("crontab", "import", "--json", "-", stdin="5 5 5 5 5 x\n")
    answer = json.loads(done.ok())
    assert [name.split("-")[0] for name in answer["new"]] == ["stdin"]
    assert answer["gone"] == []


def test_a_dry_run_needs_no_service(crony: Shell, tmp_path: Path) -> None:
    path = tmp_path / "host-f"
    path.write_text("1 * * * * x\n")
    nowhere = "http://127.0.0.1:1"
    done = crony("crontab", "import", "--dry-run", "--api", nowhere, str(path))
    assert "1 schedules were read" in done.ok()
    assert crony("crontab", "import", "--api", nowhere, str(path)).code == 5


def test_a_file_that_is_not_there_is_wrong_usage(crony: Shell) -> None:
    done = crony("crontab", "import", "/nonexistent/crontab")
    assert (done.code, "No such file" in done.err) == (2, True)
