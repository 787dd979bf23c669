"""Policies of runs: each kept once, and known by a number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from crony.model.run import Run
from crony.storage.codec import policy_out
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import each, text

_FIND = text(
    f"SELECT p.body, p.id FROM {each('bodies', 'j')} JOIN policies p"
    " ON p.body = j.value"
)
_INSERT = text(
    f"INSERT INTO policies (body) SELECT j.value FROM {each('bodies', 'j')}"
    " WHERE true ON CONFLICT DO NOTHING"
)


def intern(connection: Connection, runs: Iterable[Run]) -> Mapping[str, int]:
    """Return the number of each run's policy, by the run's id."""
    given = list(runs)
    # PERF: to compare policies takes long, and most runs of a batch have the same one.
    policies = {id(run.policy): run.policy for run in given}
    body_of = {key: policy_out(policy) for key, policy in policies.items()}
    wanted = set(body_of.values())
    known = _find(connection, wanted)
    if new := wanted - known.keys():
        connection.execute(_INSERT, {"bodies": json.dumps(sorted(new))})
        known |= _find(connection, new)
    return {run.id: known[body_of[id(run.policy)]] for run in given}


def _find(connection: Connection, bodies: set[str]) -> dict[str, int]:
    asked = {"bodies": json.dumps(sorted(bodies))}
    return {row[0]: row[1] for row in connection.execute(_FIND, asked)}
