"""Parts of an answer on one line each."""

from __future__ import annotations

from collections.abc import Sequence

from crony.cli import answers, instants, output
from crony.model.task import JsonObject


def task_line(task: JsonObject) -> str:
    """Return what a task runs, on one line."""
    import shlex

    command = task.get("command")
    if isinstance(command, str):
        return output.shown(command)
    if command:
        return output.shown(shlex.join(answers.words(task, "command")))
    if "script" in task:
        return "script: " + output.shown(answers.text(task, "script"))
    if "http" in task:
        request = answers.member(task, "http")
        return f"{answers.text(request, 'method')} {answers.text(request, 'url')}"
    return "python: " + answers.text(task, "python")


def pairs_line(pairs: JsonObject) -> str:
    """Return labels on one line."""
    return ", ".join(
        f"{name}={','.join(answers.words(pairs, name)) or answers.text(pairs, name)}"
        for name in pairs
        if pairs[name] != []
    )


def policy_lines(policy: JsonObject) -> list[str]:
    """Return what is not built in, and where it is set: the rest is as everywhere."""
    lines = []
    for name in policy:
        rule = answers.member(policy, name)
        level = answers.text(rule, "from")
        if level != "built-in":
            value = answers.as_object(rule.get("value"))
            text = pairs_line(value) or answers.text(rule, "value")
            place = "" if level == "schedule" else f" (of the {level})"
            lines.append(f"{name} {text}{place}")
    return lines


def hooks_line(hooks: JsonObject) -> str:
    lines = []
    for kind in hooks:
        hook = answers.member(hooks, kind)
        often = f" every {answers.text(hook, 'interval')}" if "interval" in hook else ""
        lines.append(f"{kind}{often}: {task_line(answers.member(hook, 'task'))}")
    return "; ".join(lines)


def progress_line(entries: Sequence[JsonObject]) -> str:
    """Return the newest entry, and when it came."""
    if not entries:
        return ""
    percent = answers.text(entries[0], "percent")
    parts = (percent and f"{percent} %", answers.text(entries[0], "message"))
    when = instants.relative(answers.text(entries[0], "at"))
    return f"{output.shown(' '.join(part for part in parts if part))} ({when})"
