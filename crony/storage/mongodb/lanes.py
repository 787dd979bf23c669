"""Lanes: what runs ask of a worker, and of a group's limit.

Runs that may be leased are found by lane, so that a worker looks only where it may
take from, however many runs wait for others, and a full group's runs are in nobody's
way. The runs of hooks, which no limit holds back, are in lanes without a group.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from crony.model.run import Run
from crony.model.schedule import Definition
from crony.model.worker import Worker
from crony.storage import rules
from crony.storage.codec import dumps
from crony.storage.mongodb import kinds
from crony.storage.mongodb.work import Work

#: The group of the lanes of hooks' runs.
NO_GROUP = ""


def lane_out(run: Run, definition: Definition) -> str:
    """Return the text of a run's lane."""
    lane = rules.lane_of(run, definition)
    requires = [list(pair) for pair in lane.requires]
    return dumps([lane.queue, lane.group, lane.level, requires])


def lane_in(tenant: str, text: str) -> rules.Lane:
    """Return the lane of a text."""
    queue, group, level, requires = json.loads(text)
    pairs = tuple((name, value) for name, value in requires)
    return rules.Lane(tenant, queue, pairs, level, group)


def open_lanes(work: Work) -> dict[str, rules.Lane]:
    """Return the lanes in which runs may be leased, by their texts."""
    texts = work.distinct(kinds.RUNS, "open_lane", {"open_lane": {"$gt": ""}})
    return {text: lane_in(work.tenant, text) for text in texts}


def open_to(
    worker: Worker, lanes: Iterable[tuple[str, rules.Lane]]
) -> dict[str, rules.Lane]:
    """Return the lanes among these that a worker may take from."""
    return {text: lane for text, lane in lanes if suits(worker, lane)}


def suits(worker: Worker, lane: rules.Lane) -> bool:
    """Return whether a worker has all that a lane asks for."""
    return rules.satisfied(
        lane,
        queues=worker.queues,
        labels=worker.labels,
        level=worker.sandbox_level,
    )


def groups_of(lanes: Collection[rules.Lane]) -> set[str]:
    """Return the groups of lanes that have one."""
    return {lane.group for lane in lanes} - {NO_GROUP}
