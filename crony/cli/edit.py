"""`crony edit`: change a schedule by options, or in an editor."""

from __future__ import annotations

from typing import cast

import click

from crony.cli import merging, schedule_options
from crony.cli.add import TakesCommand, tell
from crony.cli.editor import edit_schedule
from crony.cli.names import SCHEDULE
from crony.cli.session import Session, connected
from crony.cli.trigger_options import KINDS, given
from crony.model.task import Json, JsonObject

#: What a task or a trigger of one kind must not keep of another.
_OTHERS = {
    "command": ("command", "script", "python", "args", "kwargs", "http", "celery"),
    "script": ("command", "script", "python", "args", "kwargs", "http", "celery"),
    "python": ("command", "script", "python", "http", "celery"),
    "http": ("command", "script", "python", "args", "kwargs", "http", "celery"),
}


@click.command(cls=TakesCommand)
@click.argument("name", metavar="SCHEDULE", type=SCHEDULE)
@click.argument("command", nargs=-1)
@given(schedule_options.OPTIONS)
@merging.SET
@connected
def edit(
    session: Session, /, *, name: str, sets: tuple[str, ...], **said: object
) -> None:
    """Change SCHEDULE: what the options say, all else as it is.

    Without an option it opens the schedule as JSON in $VISUAL or $EDITOR. A null is
    inherited.

    \b
    crony edit report --cron "30 3 * * *" --deadline 2h
    crony edit report --set retries.max=3 --set labels.team=null
    crony edit report -- ./report.sh --full
    EDITOR=nano crony edit report
    """
    patch = _patch_of(cast(dict[str, Json], said))
    patch = merging.merged(patch, merging.said(sets), keep_null=True)
    if patch:
        made: JsonObject = session.client.patch_schedule(name, patch)
    else:
        edited = edit_schedule(session.client, name)
        if edited is None:
            return
        made = edited
    session.show(made, lambda: tell(made))


def _patch_of(said: dict[str, Json]) -> dict[str, Json]:
    """Return a merge patch; a new trigger or task takes the place of the old."""
    patch = schedule_options.body_of(said)
    kinds = [kind for kind in KINDS if kind in patch]
    if len(kinds) > 1:
        raise click.UsageError("say when in one way: --cron, --every or --at.")
    if kinds:
        patch = {**dict.fromkeys(KINDS), **patch}
    task = patch.get("task")
    if isinstance(task, dict):
        kind = next(kind for kind in _OTHERS if kind in task)
        patch["task"] = {**dict.fromkeys(_OTHERS[kind]), **task}
    hooks = patch.get("hooks")
    if isinstance(hooks, dict):
        patch["hooks"] = {kind: _whole(hook) for kind, hook in hooks.items()}
    return patch


def _whole(hook: Json) -> Json:
    """Return a hook whose task takes the place of one of another kind."""
    if not isinstance(hook, dict):
        return hook
    task = hook["task"]
    inner = task if isinstance(task, dict) else {}
    return {**hook, "task": {**dict.fromkeys(_OTHERS["command"]), **inner}}
