"""What the errors of the server and of its client mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from pymongo import errors as foreign

from crony import errors

_RETRY_AFTER = timedelta(seconds=1)

#: A document of this id is there.
DUPLICATE = 11000

#: What the server says of what passes.
_RETRYABLE = "RetryableWriteError"

_NO_ANSWER = "the store does not answer"
_NO_PRIMARY = "the store has no primary, or is about to elect another"
_TOO_SLOW = "the store did not answer in time"
_DISK_FULL = "the store's disk is full"

#: The server's codes of what passes, and what the store says of them.
_UNAVAILABLE = {
    6: _NO_ANSWER,
    7: _NO_ANSWER,
    24: _TOO_SLOW,
    43: _NO_ANSWER,
    50: _TOO_SLOW,
    64: "the store did not get a majority to keep it in time",
    70: "a part of the store does not answer",
    89: _TOO_SLOW,
    91: _NO_ANSWER,
    112: "the store had other writes at the same place",
    133: _NO_PRIMARY,
    134: "the store is catching up",
    175: "the store dropped what was read from",
    189: _NO_PRIMARY,
    202: _TOO_SLOW,
    262: _TOO_SLOW,
    280: _NO_PRIMARY,
    317: _NO_ANSWER,
    365: "the store is under pressure",
    9001: _NO_ANSWER,
    10107: _NO_PRIMARY,
    11600: _NO_ANSWER,
    11601: "the store was interrupted",
    11602: _NO_PRIMARY,
    13388: "the store's parts are moving",
    13435: _NO_PRIMARY,
    13436: _NO_PRIMARY,
    14031: _DISK_FULL,
}

#: Those that only people can mend.
_UNUSABLE = {
    8000: "the store refused the user or the password",
    11: "the store refused the user or the password",
    13: "the store's user may not do what is needed: it takes readWrite and dbAdmin",
    18: "the store refused the user or the password",
    20: "the store does not support what is needed of it",
    26: "the store lacks a collection",
    59: "the store is too old, or no MongoDB",
    79: "the store can't do the write concern",
    85: "the store has other indexes than this release's",
    86: "the store has other indexes than this release's",
    100: "the store's replica set is too small for its write concern",
}


def closed() -> errors.StoreUnavailable:
    """Return the error of a verb on a store that is not open."""
    return unavailable("the store is closed")


def unavailable(detail: str) -> errors.StoreUnavailable:
    """Return the error of what passes."""
    return errors.StoreUnavailable(detail, retry_after=_RETRY_AFTER)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the client's errors as ours, without their text."""
    try:
        yield
    except foreign.PyMongoError as caught:
        raise _ours(caught) from caught


def _ours(caught: foreign.PyMongoError) -> errors.CronyError:
    if isinstance(caught, foreign.BulkWriteError):
        return _of_code(_bulk_code(caught.details), "a write of many")
    if isinstance(caught, foreign.NotPrimaryError):
        return unavailable(_NO_PRIMARY)
    if isinstance(caught, (foreign.NetworkTimeout, foreign.ExecutionTimeout)):
        return unavailable(_TOO_SLOW)
    if isinstance(caught, foreign.WTimeoutError):
        return unavailable(_UNAVAILABLE[64])
    if isinstance(caught, foreign.WaitQueueTimeoutError):
        return unavailable("the store has no free connection")
    if isinstance(caught, foreign.ConnectionFailure):
        return unavailable(_NO_ANSWER)
    if isinstance(caught, foreign.OperationFailure):
        return _of_failure(caught)
    if isinstance(caught, (foreign.ConfigurationError, foreign.InvalidURI)):
        return errors.StoreUnusable("the store's URL can't be used")
    if isinstance(caught, foreign.DocumentTooLarge):
        return errors.StoreUnusable("the store refused a document: it is too large")
    if isinstance(caught, foreign.InvalidOperation):
        return closed()
    if caught.timeout:
        return unavailable(_TOO_SLOW)
    return errors.StoreUnusable(f"the store failed: {type(caught).__name__}")


def _of_failure(caught: foreign.OperationFailure) -> errors.CronyError:
    passes = caught.has_error_label(_RETRYABLE)
    if passes and caught.code not in _UNAVAILABLE | _UNUSABLE:
        return unavailable(_NO_ANSWER)
    return _of_code(caught.code, "a statement")


def _of_code(code: int | None, what: str) -> errors.CronyError:
    if code in _UNAVAILABLE:
        return unavailable(_UNAVAILABLE[code])
    if code in _UNUSABLE:
        return errors.StoreUnusable(_UNUSABLE[code])
    return errors.StoreUnusable(f"the store refused {what}: code {code}")


def _bulk_code(details: Mapping[str, object] | None) -> int | None:
    """Return the code of the first error of a write of many."""
    for name in ("writeErrors", "writeConcernErrors"):
        found = (details or {}).get(name)
        if isinstance(found, list) and found:
            code = found[0].get("code")
            return code if isinstance(code, int) else None
    return None


def only_duplicates(caught: foreign.BulkWriteError) -> bool:
    """Return whether all that failed was there already."""
    details = caught.details or {}
    return not details.get("writeConcernErrors") and all(
        error.get("code") == DUPLICATE for error in details.get("writeErrors", ())
    )
