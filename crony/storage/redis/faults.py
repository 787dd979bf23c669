"""What the server's errors mean, all in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from redis import exceptions

from crony import errors

_RETRY_AFTER = timedelta(seconds=1)

#: Words that an answer may begin with, of what passes, and what the store says of it.
_UNAVAILABLE = {
    "LOADING": "the store is reading its file",
    "BUSY": "the store is busy with a long script",
    "TRYAGAIN": "the store is moving its data",
    "CLUSTERDOWN": "a part of the store's cluster is down",
    "MASTERDOWN": "the store has lost its master",
    "READONLY": "the store's master is another machine now",
    "NOREPLICAS": "the store has too few replicas",
    "MISCONF": "the store can't write its file",
    "OOM": "the store has no memory left",
}

#: Words of what only people can mend.
_UNUSABLE = {
    "NOAUTH": "the store asks for a password",
    "WRONGPASS": "the store does not take the name and password",
    "NOPERM": "the store's user may not use a command that Crony needs",
    "MOVED": "the store is a node of a cluster, which this driver does not speak to",
    "CROSSSLOT": "the store refused a script: CROSSSLOT",
    # "DB index is out of range".
    "DB": "the store has no database of that number",
    "WRONGTYPE": "the store has something else under a key of Crony's",
}

_CLASSES: tuple[tuple[type[Exception], str], ...] = (
    # This comes first: the library's refusals of a password are lost connections.
    (exceptions.AuthenticationError, "WRONGPASS"),
    (exceptions.AuthorizationError, "NOPERM"),
    (exceptions.NoPermissionError, "NOPERM"),
    (exceptions.BusyLoadingError, "LOADING"),
    (exceptions.ReadOnlyError, "READONLY"),
    (exceptions.OutOfMemoryError, "OOM"),
    (exceptions.MasterDownError, "MASTERDOWN"),
    (exceptions.ClusterDownError, "CLUSTERDOWN"),
    (exceptions.TryAgainError, "TRYAGAIN"),
    (exceptions.MovedError, "MOVED"),
    (exceptions.ClusterCrossSlotError, "CROSSSLOT"),
)
_WORD = re.compile(r"(?:-|ERR )?([A-Z]+)\b")


def closed() -> errors.StoreUnavailable:
    """Return the error of a verb on a store that is not open."""
    return unavailable("the store is closed")


def unavailable(detail: str) -> errors.StoreUnavailable:
    """Return the error of a store that will answer again."""
    return errors.StoreUnavailable(detail, retry_after=_RETRY_AFTER)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the library's errors as ours, without their text."""
    try:
        yield
    except exceptions.RedisError as caught:
        raise ours(caught) from caught


def ours(caught: exceptions.RedisError) -> errors.CronyError:
    """Return our error for one of the library's."""
    word = _word(caught)
    if word in _UNAVAILABLE:
        return unavailable(_UNAVAILABLE[word])
    if word in _UNUSABLE:
        return errors.StoreUnusable(_UNUSABLE[word])
    if isinstance(caught, exceptions.TimeoutError):
        return unavailable("the store did not answer in time")
    if isinstance(caught, exceptions.ConnectionError):
        return unavailable("the store does not answer")
    return errors.StoreUnusable(f"the store refused a command: {type(caught).__name__}")


def _word(caught: exceptions.RedisError) -> str:
    for kind, word in _CLASSES:
        if isinstance(caught, kind):
            return word
    found = _WORD.match(str(caught))
    return found[1] if found else ""
