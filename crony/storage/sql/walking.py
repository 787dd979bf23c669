"""Over the schedules of all tenants, those that are gone among them, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from crony.storage.contract import Position
from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import text

# The pair is the only bound: beside one on the tenant SQLite would take that one.
_WALKED = text(
    "SELECT tenant, id FROM schedules WHERE id > ''"
    " AND (tenant, id) > (:tenant, :id) ORDER BY tenant, id LIMIT :limit"
)


def walk(
    connection: Connection, *, limit: int, after: Position | None
) -> tuple[Sequence[str], Position | None]:
    """Return the next ids of schedules that ever were, and where to go on."""
    tenant, identity = after or ("", "")
    asked = {"tenant": tenant, "id": identity, "limit": limit}
    walked = connection.execute(_WALKED, asked).all()
    end = (walked[-1][0], walked[-1][1]) if len(walked) == limit else None
    return [identity for _, identity in walked], end
