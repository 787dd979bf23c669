"""The options of `crony add` and `crony edit`: all that a schedule may have."""

from __future__ import annotations

import click

from crony.cli import answers, policy_options, task_options, trigger_options
from crony.cli.names import GROUP, PROFILE
from crony.cli.task_options import TaskOptions
from crony.model.task import Json

_OWN = (
    click.option(
        "--group", metavar="NAME", type=GROUP, help="The group it belongs to."
    ),
    click.option(
        "--profile", metavar="NAME", type=PROFILE, help="Whose policy it takes."
    ),
    click.option("--queue", metavar="NAME", help="The queue of its runs."),
    click.option("--require", metavar="K=V", multiple=True, help="A worker's label."),
    click.option("--label", metavar="K=V", multiple=True, help="A label of its own."),
    click.option("--description", metavar="TEXT", help="What it is for."),
)

_HOOKS = (
    click.option("--on-error", metavar="LINE", help="Shell for a failed attempt."),
    click.option("--on-success", metavar="LINE", help="Shell for a success."),
    click.option("--progress-hook", metavar="LINE", help="Shell while a run goes on,"),
    click.option("--progress-interval", metavar="DURATION", help="this often (30s)."),
)

OPTIONS = (
    *trigger_options.OPTIONS,
    *task_options.OPTIONS,
    *_OWN,
    *policy_options.OPTIONS,
    *_HOOKS,
)

_PLAIN = ("name", "group", "profile", "queue", "description")
_PAIRS = {"require": "requires", "label": "labels"}
_KINDS = {"on_error": "error", "on_success": "success", "progress_hook": "progress"}


def body_of(said: dict[str, Json]) -> dict[str, Json]:
    """Return the members of a schedule that were given."""
    body = trigger_options.trigger_of(said)
    body.update({name: said[name] for name in _PLAIN if said.get(name) is not None})
    for option, member in _PAIRS.items():
        values = answers.words(said, option)
        if values:
            body[member] = task_options.pairs(f"--{option}", values)
    body.update(policy_options.policy_of(said))
    hooks = _hooks_of(said)
    if hooks:
        body["hooks"] = hooks
    task = task_options.task_of(
        TaskOptions(**{name: said[name] for name in TaskOptions._fields})  # type: ignore[arg-type]  # click checked the types
    )
    if task is not None:
        body["task"] = task
    return body


def _hooks_of(said: dict[str, Json]) -> dict[str, Json]:
    hooks: dict[str, Json] = {
        kind: {"task": {"command": said[option]}}
        for option, kind in _KINDS.items()
        if said[option] is not None
    }
    if said["progress_interval"] is not None:
        if "progress" not in hooks:
            raise click.UsageError("--progress-interval needs a --progress-hook.")
        hooks["progress"] = {
            **answers.as_object(hooks["progress"]),
            "interval": said["progress_interval"],
        }
    return hooks
