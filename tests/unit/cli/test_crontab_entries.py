"""What becomes of a crontab's entries: names, bodies, and guesses about sandboxes."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

import pytest

from crony.cli.crontab.confined import hints
from crony.cli.crontab.entries import Wanted, file_label, schedules_of
from crony.cli.crontab.parse import parse
from crony.cli.crontab.plan import compare
from crony.model.trigger import Cron
from crony.triggers import compile_trigger

ZONE = "Europe/Berlin"
NOW = datetime(2027, 1, 1, tzinfo=UTC)


def wanted(
    text: str, *, path: str = "jobs", system: bool = False, zone: str = ZONE
) -> list[Wanted]:
    entries = parse(text, system=system).entries
    return schedules_of(path, entries, zone=zone, queue=None, names=Counter())


def name(text: str, *, zone: str = ZONE, system: bool = False) -> str:
    (made,) = wanted(text, zone=zone, system=system)
    return made.name


def test_an_entry_becomes_a_command_of_its_shell_with_its_surroundings() -> None:
    (made,) = wanted("SHELL=/bin/bash\nA=1\n5 4 * * sun mail -s x%hello\n")
    assert made.body["cron"] == "5 4 * * SUN"
    assert made.body["timezone"] == ZONE
    assert made.body["labels"] == {"crontab": "jobs"}
    assert made.body["task"] == {
        "command": ["/bin/bash", "-c", "mail -s x"],
        "env": {"SHELL": "/bin/bash", "PATH": "/usr/bin:/bin", "A": "1"},
        "stdin": "hello\n",
    }


def test_the_user_column_becomes_a_label() -> None:
    (made,) = wanted("* * * * * www-data x\n", system=True)
    assert made.body["labels"] == {"crontab": "jobs", "user": "www-data"}


def test_a_name_depends_on_zone_user_time_and_command_alone() -> None:
    first = name("5 4 * * * x\n")
    assert re.fullmatch(r"jobs-[0-9a-f]{12}", first)
    assert name("# moved down\nA=1\n05  4 * * *\tx\n") == first
    others = {
        name("6 4 * * * x\n"),
        name("5 4 * * * y\n"),
        name("5 4 * * * x%in\n"),
        name("5 4 * * * x\n", zone="UTC"),
        name("CRON_TZ=UTC\n6 4 * * * x\n"),
        name("5 4 * * * root x\n", system=True),
    }
    assert len(others) == 6
    assert first not in others
    assert name("CRON_TZ=UTC\n5 4 * * * x\n") == name("5 4 * * * x\n", zone="UTC")


def test_lines_that_are_alike_are_told_apart() -> None:
    names = [item.name for item in wanted("A=1\n* * * * * x\nA=2\n* * * * * x\n")]
    assert names[1] == names[0] + "-2"


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("-", "stdin"),
        ("/etc/cron.d/e2scrub_all", "e2scrub_all"),
        ("/etc/cron.d/php@8.2", "php-8.2"),
        ("My Jobs (old).TXT", "my-jobs-old-.txt"),
        ("/x/.hidden", "hidden"),
        ("/x/Ünïcode", "n-code"),
        ("___", "crontab"),
        ("a" * 300, "a" * 110),
    ],
)
def test_the_label_keeps_to_the_rules_of_names(path: str, label: str) -> None:
    assert file_label(path) == label
    (made,) = wanted("* * * * * x\n", path=path)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,127}", made.name)


@pytest.mark.parametrize(
    "when",
    [
        "* * * * *",
        "*/60 */24 */31 */12 */7",
        "0-59/15 0-23 1-31/2 JAN-DEC SUN-SAT",
        "0 0 * * 0-7",
        "0 0 * * 5-7",
        "0 0 * * 1-7/2",
        "0 0 * * 7,MON",
        "1,2,3-5 6 7 8 *",
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
    ],
)
def test_what_cron_takes_is_a_trigger(when: str) -> None:
    (made,) = wanted(f"{when} x\n")
    trigger = Cron(str(made.body["cron"]), ZONE)
    compiled = compile_trigger(trigger, identity="default/x", anchor=NOW)
    assert compiled.first(NOW) is not None


def test_a_comparison_finds_new_changed_same_and_gone() -> None:
    before = wanted("1 * * * * a\n2 * * * * b\n3 * * * * c\n")
    there = {item.name: {**item.body, "id": item.name} for item in before}
    after = wanted("1 * * * * a\nV=1\n2 * * * * b\n4 * * * * d\n")
    plan = compare(after, there)
    assert [item.name for item in plan.same] == [before[0].name]
    assert [item.name for item, _ in plan.changed] == [before[1].name]
    assert [item.name for item in plan.new] == [after[2].name]
    assert [schedule["name"] for schedule in plan.gone] == [before[2].name]


def test_what_an_operator_set_is_no_change() -> None:
    (item,) = wanted("1 * * * * a\n")
    task = {**item.body["task"], "workdir": None}
    labels = {**item.body["labels"], "team": "ops"}
    found = {**item.body, "task": task, "labels": labels, "paused": True}
    assert compare([item], {item.name: found}).same == [item]


def hints_of(command: str, *, head: str = "") -> list[str]:
    (entry,) = parse(f"{head}* * * * * {command}\n", system=False).entries
    return hints(entry)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("cp /srv/a '/var/lib/b' >/mnt/c", "/srv/a, /var/lib/b, /mnt/c"),
        ("test -f /etc/shadow", "/etc/shadow"),
        ("A=/opt/x run", "/opt/x"),
        ("/usr/bin/curl -s http://example.org/x", "curl: no network"),
        ("x | ssh host y; rsync a b", "rsync, ssh: no network"),
        ("sudo systemctl restart x", "sudo, systemctl: a task has no privileges"),
        ("cd ~/work", "the home directory"),
        ('ls "$HOME"', "the home directory"),
    ],
)
def test_what_a_command_would_miss_is_guessed(command: str, said: str) -> None:
    assert said in "; ".join(hints_of(command))


@pytest.mark.parametrize(
    "command",
    [
        "echo hello >/dev/null 2>&1",
        "/usr/bin/env python3 -c 'print(1/2)' | /bin/cat",
        "test -e /etc/ssl/certs && ls /tmp/x",
        "echo http://example.org/srv/x",
        "echo a/b ./c",
    ],
)
def test_what_a_sandbox_has_is_not_listed(command: str) -> None:
    assert hints_of(command) == []


def test_a_shell_that_is_not_in_the_sandbox_is_listed() -> None:
    assert "/opt/fish" in hints_of("x", head="SHELL=/opt/fish\n")[0]
