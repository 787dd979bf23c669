"""Hooks of schedules over HTTP: written, read, changed and refused."""

from __future__ import annotations

from tests.integration.api.caller import ECHO, Caller, kind, pointers

HOOKS = {
    "error": {"task": ECHO},
    "progress": {"task": {"http": {"url": "https://example.org/"}}, "interval": "5s"},
}
PATCH = {"Content-Type": "application/merge-patch+json"}


def test_hooks_read_back_as_they_were_written(tenant: Caller) -> None:
    made = tenant.schedule(hooks=HOOKS)
    assert made["hooks"]["error"]["task"]["command"] == ECHO["command"]
    assert made["hooks"]["progress"]["interval"] == "5s"
    assert "success" not in made["hooks"]
    again = tenant("PUT", f"/schedules/{made['id']}", made)
    assert again.status_code == 200, again.text
    assert again.json()["revision"] == 1
    assert again.json()["hooks"] == made["hooks"]


def test_a_schedule_without_hooks_has_an_empty_map(tenant: Caller) -> None:
    assert tenant.schedule()["hooks"] == {}


def test_one_hook_is_changed_and_removed_by_a_patch(tenant: Caller) -> None:
    made = tenant.schedule(hooks=HOOKS)
    path = f"/schedules/{made['id']}"
    patch = {"hooks": {"error": None, "progress": {"interval": "1m"}}}
    changed = tenant("PATCH", path, patch, headers=PATCH)
    assert changed.status_code == 200, changed.text
    assert changed.json()["revision"] == 2
    assert changed.json()["hooks"] == {
        "progress": made["hooks"]["progress"] | {"interval": "1m"}
    }
    bare = tenant("PATCH", path, {"hooks": None}, headers=PATCH)
    assert bare.json()["hooks"] == {}


def test_faults_of_hooks_come_with_the_others(tenant: Caller) -> None:
    body = {
        "every": "0s",
        "task": ECHO,
        "hooks": {
            "error": {"task": {"command": ""}},
            "progress": {"task": ECHO, "interval": "10ms"},
            "succes": {},
        },
    }
    answer = tenant("POST", "/schedules", body)
    assert kind(answer) == (422, "invalid-body")
    assert {
        "/every",
        "/hooks/error/task/command",
        "/hooks/progress/interval",
        "/hooks/succes",
    } <= set(pointers(answer))
