"""`crony` against a real service: what it prints and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crony.client import Client
from tests.integration.cli.conftest import Shell

pytestmark = pytest.mark.xdist_group("cli-client")


def test_an_added_schedule_is_told_in_words_and_stored_as_said(
    crony: Shell, client: Client
) -> None:
    out = crony(
        *("add", "report", "--cron", "30 2 * * 1-5", "--timezone", "Europe/Berlin"),
        *("--label", "team=data", "--require", "os=linux", "--retries", "2"),
        *("--sandbox", "memory=1G", "--sandbox", "cpu=2", "--env", "A=1"),
        *("--max-runtime", "5m", "--priority", "7", "--", "echo", "a b", "--flag"),
    ).ok()
    assert "At 02:30, Monday to Friday (Europe/Berlin)" in out
    assert "next: in " in out
    assert "02:30:00 CE" in out

    found = client.get_schedule("report")
    assert found["cron"] == "30 2 * * 1-5"
    assert found["labels"] == {"team": "data"}
    assert found["requires"] == {"os": "linux"}
    assert found["priority"] == 7
    assert found["max_runtime"] == "5m"
    task = found["task"]
    assert isinstance(task, dict)
    assert task["command"] == ["echo", "a b", "--flag"]
    assert task["env"] == {"A": "1"}
    policy = found["policy"]
    assert isinstance(policy, dict)
    sandbox = policy["sandbox"]
    assert isinstance(sandbox, dict)
    assert sandbox["value"]["memory"] == "1G"
    assert sandbox["value"]["cpu"] == 2.0


@pytest.mark.parametrize(
    ("name", "options", "task"),
    [
        ("shell", ["--shell", "date | wc"], {"command": "date | wc"}),
        ("function", ["--python", "m.n:f", "--args", "[1]"], {"python": "m.n:f"}),
        ("request", ["--http", "https://example.org/"], {"http": {"method": "GET"}}),
        ("script", ["--script", "-"], {"script": "#!/bin/sh\ndate\n"}),
    ],
)
def test_every_kind_of_task_can_be_added(
    crony: Shell,
    client: Client,
    name: str,
    options: list[str],
    task: dict[str, object],
) -> None:
    crony("add", name, "--every", "1h", *options, stdin="#!/bin/sh\ndate\n").ok()
    found = client.get_schedule(name)["task"]
    assert isinstance(found, dict)
    for kind, value in task.items():
        got = found[kind]
        assert got == value or got.items() >= value.items()


def test_a_file_is_added_as_it_is_and_options_win(
    crony: Shell, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "schedule.json"
    body = {"name": "x", "every": "5m", "task": {"command": "date"}, "priority": 3}
    path.write_text(json.dumps(body))
    crony("add", "from-file", "--file", str(path), "--every", "6m").ok()
    found = client.get_schedule("from-file")
    assert (found["every"], found["priority"]) == ("6m", 3)


def test_what_is_read_can_be_edited_and_written_back(
    crony: Shell, client: Client
) -> None:
    crony("add", "edited", "--every", "5m", "--", "date").ok()
    shown = json.loads(crony("show", "edited", "--json").ok())
    shown["every"] = "7m"
    crony("add", "--replace", "--file", "-", stdin=json.dumps(shown)).ok()
    assert client.get_schedule("edited")["every"] == "7m"


def test_a_taken_name_is_refused_with_the_way_out(crony: Shell) -> None:
    crony("add", "taken", "--every", "5m", "--", "date").ok()
    crony("add", "taken", "--every", "5m", "--", "date").ok()
    done = crony("add", "taken", "--every", "6m", "--", "date")
    assert done.code == 1
    assert "taken" in done.err
    assert "--replace" in done.err
    crony("add", "taken", "--replace", "--every", "6m", "--", "date").ok()


def test_all_faults_are_listed_with_their_fields(crony: Shell) -> None:
    done = crony(
        *("add", "bad", "--cron", "61 * * * *", "--timezone", "Mars/Base"),
        *("--max-runtime", "soon", "--env", "CRONY_X=1", "--", "date"),
    )
    assert done.code == 1
    assert done.out == ""
    for field in ("cron", "timezone", "max_runtime", "task.env"):
        assert f"  {field}: " in done.err, field
    assert "minute 61 is out of 0..59" in done.err
    assert "next: " in done.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["add", "x", "--", "date"], "say when"),
        (["add", "x", "--every", "5m", "--at", "now", "--", "date"], "say when"),
        (["add", "x", "--every", "5m"], "say what to run"),
        (["add", "--every", "5m"], "needs a name"),
        (["add", "x", "--every", "5m", "--shell", "a", "--", "b"], "exclude"),
        (["add", "x", "--every", "5m", "--env", "A", "--", "b"], "NAME=VALUE"),
        (["lss"], 'Did you mean "ls"?'),
        (["ls", "--no-such-option"], "No such option"),
        (["logs", "-f", "--attempt", "1", "x"], "without --attempt"),
    ],
)
def test_wrong_usage_ends_with_two(crony: Shell, argv: list[str], said: str) -> None:
    done = crony(*argv)
    assert done.code == 2
    assert said in done.err


def test_lists_are_filtered_and_are_json_on_request(crony: Shell) -> None:
    crony("add", "l-one", "--every", "5m", "--label", "set=l", "--", "date").ok()
    crony("add", "l-two", "--cron", "@daily", "--label", "set=l", "--", "date").ok()
    crony("pause", "l-two").ok()

    lines = crony("ls", "--label", "set=l", "--sort", "name").ok().splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["l-one", "active"],
        ["l-two", "paused"],
    ]
    found = json.loads(crony("ls", "l-", "--state", "paused", "--json").ok())
    assert [item["name"] for item in found["items"]] == ["l-two"]
    found = json.loads(crony("ls", "-n", "1", "--label", "set=l", "--json").ok())
    assert len(found["items"]) == 1
    assert "no schedule matches" in crony("ls", "--queue", "nobody").err


def test_pause_and_resume_say_what_is_true_now(crony: Shell) -> None:
    crony("add", "p", "--every", "1h", "--", "date").ok()
    assert crony("pause", "p").ok() == "p: paused\n"
    assert crony("resume", "p").ok().startswith("p: active, next in ")


def test_removed_schedules_are_gone(crony: Shell) -> None:
    crony("add", "gone", "--every", "1h", "--", "date").ok()
    crony("rm", "gone").ok()
    done = crony("show", "gone")
    assert done.code == 3
    assert "`crony ls`" in done.err


def test_upcoming_and_preview_show_instants_on_the_zones_clock(crony: Shell) -> None:
    argv = ["--cron", "30 2 * * *", "--timezone", "America/New_York"]
    argv += ["--start-at", "2027-03-13T00:00:00Z", "-n", "2"]
    lines = crony("preview", *argv).ok().splitlines()
    assert "02:30" in lines[0]
    assert "2027-03-13T02:30:00-05:00" in lines[2]
    assert "2027-03-14T03:00:00-04:00" in lines[3]
    assert lines[3].endswith("shifted")

    crony("add", "soon", "--cron", "0 0 1 1 *", "--", "date").ok()
    out = crony("upcoming", "soon", "-n", "3").ok()
    assert out.count("-01-01T00:00:00+00:00") == 3


def test_a_key_is_shown_once_and_opens_what_its_role_allows(
    crony: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "viewer.key"
    done = crony("keys", "add", "viewer", "--description", "ci", "--out", str(path))
    assert done.ok() == ""
    assert path.stat().st_mode & 0o777 == 0o600

    crony("ls", CRONY_KEY_FILE=str(path)).ok()
    crony("ls", "--key-file", "-", stdin=path.read_text()).ok()
    refused = crony("rm", "x", CRONY_KEY_FILE=str(path))
    assert refused.code == 4
    assert "role" in refused.err

    keys = json.loads(crony("keys", "ls", "--json").ok())
    (ours,) = [key for key in keys["items"] if key["description"] == "ci"]
    assert path.read_text().strip() not in json.dumps(keys)
    assert "ci" in crony("keys").ok()
    crony("keys", "rm", ours["id"]).ok()
    assert crony("ls", CRONY_KEY_FILE=str(path)).code == 4

    again = crony("keys", "add", "viewer", "--out", str(path))
    assert again.code == 2
    assert "File exists" in again.err


def test_the_admin_key_of_this_machine_is_printed(crony: Shell) -> None:
    assert crony("keys", "admin").ok().strip() == crony.service.admin_key
    nowhere = crony("keys", "admin", CRONY_HOME="/nonexistent/home")
    assert nowhere.code == 3
    assert "crony up" in nowhere.err


def test_the_admin_key_is_not_sent_to_another_machine(crony: Shell) -> None:
    done = crony("ls", "--api", "http://192.0.2.1:9", CRONY_KEY="")
    assert done.code in (4, 5)
    assert crony.service.admin_key not in done.err + done.out


def test_a_service_that_is_not_there_ends_with_five(
    crony: Shell, tmp_path: Path
) -> None:
    done = crony("ls", "--api", "http://127.0.0.1:1")
    assert done.code == 5
    assert "crony up" in done.err
    fresh = crony("ls", "--api", "http://127.0.0.1:1", CRONY_HOME=str(tmp_path))
    assert fresh.code == 5


def test_an_unknown_key_ends_with_four(crony: Shell) -> None:
    done = crony("ls", CRONY_KEY="crony_" + "a" * 43)
    assert done.code == 4
    assert "--key-file" in done.err


def test_a_slip_in_a_variable_is_told(crony: Shell) -> None:
    done = crony("ls", CRONY_API_ULR="http://127.0.0.1:1")
    assert done.code == 2
    assert "CRONY_API_URL" in done.err


def test_a_pipe_that_closes_early_is_no_error(crony: Shell) -> None:
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"set -o pipefail; {sys.executable} -m crony.cli.main "
            "preview --cron '* * * * *' -n 1000 | head -1",
        ],
        env=crony.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_stats_count_the_schedules(crony: Shell) -> None:
    crony("add", "counted", "--every", "1h", "--", "date").ok()
    assert "active" in crony("stats").ok()


def test_completion_knows_the_commands(crony: Shell) -> None:
    assert "_CRONY_COMPLETE" in crony("completion", "bash").ok()
    done = crony(_CRONY_COMPLETE="bash_complete", COMP_WORDS="crony up", COMP_CWORD="1")
    assert "plain,upcoming" in done.out.splitlines()


def test_completion_knows_the_names_that_the_service_has(crony: Shell) -> None:
    crony("groups", "set", "proposed-g").ok()
    crony("add", "proposed-s", "--every", "1h", "--", "date").ok()

    def proposed(words: str, **environ: str) -> list[str]:
        count = str(len(words.split()) - 1)
        given = {"_CRONY_COMPLETE": "bash_complete", "COMP_CWORD": count, **environ}
        return crony(COMP_WORDS=words, **given).ok().split()

    assert proposed("crony why prop") == ["plain,proposed-s"]
    assert proposed("crony groups pause prop") == ["plain,proposed-g"]
    assert proposed("crony add x --group prop") == ["plain,proposed-g"]
    assert proposed("crony why --key-file - prop") == []
    assert proposed("crony why prop", CRONY_API_URL="http://127.0.0.1:1") == []
