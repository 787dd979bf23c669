"""The options of `crony add` and the task they make."""

from __future__ import annotations

import click
import pytest

from crony.cli.task_options import TaskOptions, pairs, task_of


def test_a_command_keeps_its_arguments_as_they_are() -> None:
    task = task_of(TaskOptions(command=("echo", "a b", "--x")))
    assert task == {"command": ["echo", "a b", "--x"]}


def test_a_shell_line_is_text_with_its_surroundings() -> None:
    said = TaskOptions(shell="date | wc", env=("A=1", "B=x=y"), workdir="/workspace")
    assert task_of(said) == {
        "command": "date | wc",
        "env": {"A": "1", "B": "x=y"},
        "workdir": "/workspace",
    }


def test_a_function_gets_its_arguments_as_json() -> None:
    said = TaskOptions(python="pkg.mod:fn", args="[1, null]", kwargs='{"a": true}')
    assert task_of(said) == {
        "python": "pkg.mod:fn",
        "args": [1, None],
        "kwargs": {"a": True},
    }


def test_a_request_has_its_parts() -> None:
    said = TaskOptions(
        http="https://example.org/", method="post", header=("X-A=b",), body="{}"
    )
    assert task_of(said) == {
        "http": {
            "url": "https://example.org/",
            "method": "POST",
            "headers": {"X-A": "b"},
            "body": "{}",
        }
    }


def test_no_task_is_none() -> None:
    assert task_of(TaskOptions()) is None


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (TaskOptions(shell="x", python="a:b"), "--shell and --python exclude"),
        (TaskOptions(command=("x",), http="http://x"), "a command and --http exclude"),
        (TaskOptions(shell="x", env=("A",)), '--env "A" is not of the form'),
        (TaskOptions(python="a:b", args="{}"), "--args must be a list"),
        (TaskOptions(python="a:b", args="["), "--args is not JSON"),
        (TaskOptions(python="a:b", kwargs="[]"), "--kwargs must be an object"),
        (TaskOptions(script="/nowhere/x.sh"), "--script /nowhere/x.sh: No such file"),
    ],
)
def test_what_makes_no_task_is_wrong_usage(said: TaskOptions, complaint: str) -> None:
    with pytest.raises(click.UsageError, match=complaint):
        task_of(said)


def test_pairs_may_have_an_empty_value() -> None:
    assert pairs("--env", ["A="]) == {"A": ""}
