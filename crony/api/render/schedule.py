"""Schedules: what was written, what holds, and how it goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from crony import wire
from crony.api.render import hooks, policy, run
from crony.api.render.values import Object, instant, plain
from crony.model.schedule import Definition
from crony.model.trigger import At, Cron, Every, Trigger
from crony.scheduler.views import ScheduleView
from crony.triggers import Upcoming


def written(definition: Definition) -> Object:
    """Return a definition as a client would write it, with every member."""
    return {
        "name": definition.name,
        "group": definition.group,
        "description": definition.description,
        "labels": dict(definition.labels),
        **_trigger(definition.trigger),
        "start_at": instant(definition.start_at),
        "end_at": instant(definition.end_at),
        "max_runs": definition.max_runs,
        "jitter": wire.format_duration(definition.jitter),
        "task": definition.task,
        "queue": definition.queue,
        "requires": dict(definition.requires),
        "profile": definition.profile,
        **policy.written(definition.policy),
        "hooks": hooks.written(definition.hooks),
        "paused": definition.paused,
    }


def whole(view: ScheduleView) -> Object:
    """Return a schedule as a client reads it."""
    schedule = view.schedule
    return {
        "id": schedule.id,
        "tenant": schedule.tenant,
        "revision": schedule.revision,
        **written(schedule.definition),
        "policy": policy.resolved(view.policy, view.sources),
        "state": plain(view.state),
        "trigger_description": view.description,
        "created_at": instant(schedule.created_at),
        "updated_at": instant(schedule.updated_at),
        "next_run_at": instant(view.next_run_at),
        "last_run": run.summary(view.last_run) if view.last_run else None,
        "recent_runs": [run.summary(item) for item in view.recent_runs],
        "errors": [run.error(item) for item in view.errors],
        "progress": [run.progress(item) for item in view.progress],
        "warnings": [{"code": w.code, "detail": w.detail} for w in view.warnings],
    }


def upcoming(items: Sequence[Upcoming]) -> list[Object]:
    """Return instants to come."""
    return [
        {"at": instant(item.at), "local": item.local, "note": item.note}
        for item in items
    ]


def _trigger(trigger: Trigger) -> Object:
    match trigger:
        case Cron(expression, timezone, dst):
            rule = dst if dst == "cron" else {"gap": dst.gap, "fold": dst.fold}
            return {"cron": expression, "timezone": timezone, "dst": rule}
        case Every(interval, timezone):
            text = (
                wire.format_duration(interval)
                if isinstance(interval, timedelta)
                else interval
            )
            return {"every": text, "timezone": timezone, "dst": "cron"}
        case At(moment, timezone):
            return {"at": instant(moment), "timezone": timezone, "dst": "cron"}
