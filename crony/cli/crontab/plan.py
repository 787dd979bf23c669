"""Compare what the crontabs want with the schedules that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crony import errors
from crony.cli import answers
from crony.cli.crontab.entries import Wanted
from crony.cli.crontab.parse import Remark
from crony.model.task import JsonObject

if TYPE_CHECKING:
    from crony.client import Client

#: Called after each request, for a progress bar.
Step = Callable[[], None]


@dataclass(slots=True)
class Plan:
    """What an import would change."""

    new: list[Wanted] = field(default_factory=list)
    #: With the schedule as it is.
    changed: list[tuple[Wanted, JsonObject]] = field(default_factory=list)
    same: list[Wanted] = field(default_factory=list)
    #: From these files once, and no longer in them.
    gone: list[JsonObject] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """How many requests it takes without pruning."""
        return len(self.new) + len(self.changed)


def existing(client: Client, labels: Iterable[str]) -> dict[str, JsonObject]:
    """Return the schedules that were imported from these files, by name."""
    return {
        answers.text(schedule, "name"): schedule
        for label in labels
        for schedule in client.each_schedule(label=f"crontab:{label}")
    }


def compare(wanted: Iterable[Wanted], there: Mapping[str, JsonObject]) -> Plan:
    """Say what is new, changed, the same and gone."""
    plan = Plan()
    missing = dict(there)
    for item in wanted:
        found = missing.pop(item.name, None)
        if found is None:
            plan.new.append(item)
        elif _holds(found, item.body):
            plan.same.append(item)
        else:
            plan.changed.append((item, found))
    plan.gone.extend(missing.values())
    return plan


def refused(client: Client, plan: Plan, step: Step) -> dict[str, list[Remark]]:
    """Return the lines whose instants the service can't work out, by file.

    Cron takes a line that never fires, and a zone that does not exist; both are
    faults here, and known before anything is changed.
    """
    faults: dict[str, list[Remark]] = {}
    for item in [*plan.new, *(item for item, _ in plan.changed)]:
        body = {name: item.body[name] for name in ("name", "cron", "timezone")}
        try:
            client.preview({**body, "count": 1})
        except errors.Refused as exc:
            if exc.status != 422:
                raise
            found = answers.members(answers.as_object(exc.problem), "errors")
            details = [answers.text(fault, "detail") for fault in found]
            remark = Remark(item.line, "; ".join(details) or str(exc))
            faults.setdefault(item.path, []).append(remark)
        step()
    return faults


def apply(client: Client, plan: Plan, step: Step) -> None:
    """Make and change schedules. What an operator set by hand stays as it is."""
    for item in plan.new:
        client.create_schedule(item.body)
        step()
    for item, found in plan.changed:
        revision = int(answers.text(found, "revision"))
        labels = {
            **answers.member(found, "labels"),
            **answers.member(item.body, "labels"),
        }
        body = {**found, **item.body, "labels": labels}
        client.put_schedule(item.name, body, if_match=revision)
        step()


def prune(client: Client, plan: Plan) -> None:
    """Remove what is gone from the files."""
    for schedule in plan.gone:
        client.delete_schedule(answers.text(schedule, "id"))


def _holds(found: JsonObject, body: JsonObject) -> bool:
    """Say whether a schedule is as the crontab wants it; all else is not its part."""
    for name, value in body.items():
        there = found.get(name)
        if name in ("task", "labels"):
            inner = answers.as_object(there)
            wanted = answers.as_object(value)
            if any(inner.get(key) != item for key, item in wanted.items()):
                return False
        elif there != value:
            return False
    return True
