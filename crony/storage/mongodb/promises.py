"""What a deployment of MongoDB, as set up, does not give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pymongo.errors import OperationFailure

from crony.storage.documents import Document
from crony.storage.mongodb.database import Database
from crony.storage.mongodb.faults import translated

#: The server's codes where a user may not ask.
_UNASKED = frozenset({13})


def missing(database: Database) -> Sequence[str]:
    """Return in words which guarantees are not given."""
    if not database.replicated or database.sharded:
        # A server by itself that keeps no journal refuses every write of ours.
        return ()
    with translated():
        try:
            said = database.client.admin.command("replSetGetConfig")
        except OperationFailure as caught:
            if caught.code not in _UNASKED:
                raise
            return (
                "the store's user may not look at the replica set's configuration: "
                "whether a majority keeps what it acknowledged is not known",
            )
    return of_config(cast("Document", said["config"]))


def of_config(config: Document) -> Sequence[str]:
    """Return what a replica set of this configuration does not give."""
    found = []
    if config.get("writeConcernMajorityJournalDefault") is False:
        found.append(
            "the replica set acknowledges before its journals are written "
            "(writeConcernMajorityJournalDefault is false): a loss of power of a "
            "majority may take back what was acknowledged"
        )
    members = cast("list[Document]", config["members"])
    voting = [member for member in members if member.get("votes", 1)]
    keeping = [member for member in voting if not member.get("arbiterOnly")]
    if len(keeping) == 2:
        found.append(
            "two members of the replica set keep data: when one is down the store "
            "takes no writes"
        )
    return tuple(found)
