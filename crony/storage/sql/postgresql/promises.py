"""What a server, as it is set up, does not promise."""

from __future__ import annotations

from collections.abc import Sequence

from crony.storage.sql.connection import Connection
from crony.storage.sql.dialect import text

_SETTINGS = text(
    "SELECT current_setting('fsync'), current_setting('full_page_writes'),"
    " current_setting('synchronous_commit'),"
    " current_setting('synchronous_standby_names'),"
    " (SELECT count(*) FROM pg_stat_replication)"
)


def missing(connection: Connection) -> Sequence[str]:
    """Return in words which guarantees it does not give."""
    fsync, pages, commit, standbys, followers = connection.execute(_SETTINGS).one()
    found = []
    if fsync != "on":
        found.append(f"fsync is {fsync} on the server: a power cut may lose the store")
    if pages != "on":
        found.append(
            f"full_page_writes is {pages} on the server: a power cut may damage the"
            " store"
        )
    if commit not in ("on", "remote_apply"):
        found.append(
            f"synchronous_commit is {commit}: a crash may lose what was acknowledged"
        )
    if followers and not standbys:
        found.append(
            "no standby is a synchronous one: one that is promoted may lack what was "
            "acknowledged last, and give out the same tokens again"
        )
    return tuple(found)
