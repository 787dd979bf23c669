"""What the errors of PostgreSQL mean: what passes, and what only people can mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from crony import errors
from crony.storage.sql.engine import RETRY_AFTER, Contended, unavailable

#: To be done again from the beginning. A key that is taken is one that another
#: tenant's verb took at the same moment: when it is done again, it is seen.
_CONTENDED = frozenset({"40001", "40P01", "23505"})

#: What passes, by SQLSTATE or by its class, and what the store says of it.
_UNAVAILABLE = {
    "55P03": "the store is locked by another process",
    "57014": "the store took too long",
    "25P03": "the store gave up on this process, which had stopped in a transaction",
    "25006": "the store takes no writes now: it is a standby",
    "53100": "the store's disk is full",
    "53200": "the store has no memory left",
    "53300": "the store has no free connection",
    "58030": "the store's disk does not read or write",
    "08": "the store can't be reached",
    "53": "the store is short of resources",
    "57": "the store is being shut down or started",
    "58": "the store's host has a fault",
}

#: What only people can mend.
_UNUSABLE = {
    "28": "the store does not let us in: user or password are wrong",
    "3D": "the store's database is not there",
    "42501": "the store's user may not do what is needed",
    "XX001": "the store's data is damaged; restore a backup",
    "XX002": "the store's data is damaged; restore a backup",
    "42P01": "the store lacks a table",
    "42703": "the store lacks a column",
}

#: What a server says of who may not come in: without a SQLSTATE, for libpq keeps none
#: of a connection that did not come about. In another language it is unavailable.
_REFUSALS = {
    "password authentication failed": _UNUSABLE["28"],
    "no pg_hba.conf entry": _UNUSABLE["28"],
    "is not permitted to log in": _UNUSABLE["28"],
    "permission denied for database": _UNUSABLE["42501"],
    'database "': _UNUSABLE["3D"],
    'role "': _UNUSABLE["28"],
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise PostgreSQL's errors as ours, without their text."""
    try:
        yield
    except psycopg.Error as caught:
        raise meaning(caught) from caught


def meaning(caught: BaseException) -> errors.CronyError:
    """Return what an error of the database's driver means."""
    state = getattr(caught, "sqlstate", None)
    if state is None:
        return _of_connection(caught)
    if state in _CONTENDED:
        return Contended(
            "the store has too many who write the same", retry_after=RETRY_AFTER
        )
    for code in (state, state[:2]):
        if code in _UNAVAILABLE:
            return unavailable(_UNAVAILABLE[code])
        if code in _UNUSABLE:
            return errors.StoreUnusable(_UNUSABLE[code])
    return errors.StoreUnusable(f"the store refused a statement: {state}")


def _of_connection(caught: BaseException) -> errors.CronyError:
    """Return what it means when there is no connection, or none any more."""
    if not isinstance(caught, psycopg.OperationalError):
        name = type(caught).__name__
        return errors.StoreUnusable(f"the store refused a statement: {name}")
    pgconn = caught.pgconn
    if pgconn is not None and pgconn.needs_password:
        return errors.StoreUnusable("the store asks for a password, and none is given")
    said = str(caught)
    if "FATAL" in said and "starting up" not in said:
        for words, detail in _REFUSALS.items():
            if words in said:
                return errors.StoreUnusable(detail)
    return unavailable("the store can't be reached")
