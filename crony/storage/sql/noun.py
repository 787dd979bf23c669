"""What the nouns of the store have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isfunction
from typing import Any, ParamSpec, TypeVar

from crony.storage.sql.engine import Contended, Database

P = ParamSpec("P")
T = TypeVar("T")

#: How often a verb is begun in all before it is given up.
_TRIES = 4


class Noun:
    """Verbs on one database.

    One whose transaction has to give way to another is begun again: nothing of it
    happened.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        for name, verb in list(vars(cls).items()):
            if isfunction(verb) and not name.startswith("_"):
                setattr(cls, name, _begun_again(verb))


def _begun_again(verb: Callable[P, T]) -> Callable[P, T]:
    @wraps(verb)
    def tried(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(_TRIES - 1):
            try:
                return verb(*args, **kwargs)
            except Contended:
                continue
        return verb(*args, **kwargs)

    return tried
