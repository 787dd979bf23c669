"""Things with a name and a revision: made, or changed from the revision they are at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from crony import errors
from crony.scheduler.contention import again


class Revised(Protocol):
    """A value with a name, whose revision grows with each change."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def revision(self) -> int:
        """How often it was written."""


Thing = TypeVar("Thing", bound=Revised)
#: What is to be there instead of what is; the same is no change.
Make = Callable[[Thing | None], Thing]


@dataclass(frozen=True, slots=True)
class Put(Generic[Thing]):
    """What a write led to; ``before`` is ``None`` where it is new."""

    thing: Thing
    before: Thing | None

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return self.thing != self.before


def put(
    noun: str,
    name: str,
    *,
    find: Callable[[], Thing | None],
    make: Make[Thing],
    write: Callable[[Thing, int | None], bool],
    if_match: int | None,
    if_none_match: bool,
) -> Put[Thing]:
    """Make a thing, or change it; raises ``RevisionMismatch``.

    ``write`` takes what was made, and the revision that must be stored.
    """
    for _ in again(noun):
        found = find()
        if found is None:
            if if_match is not None:
                raise errors.RevisionMismatch(f"there is no {noun} {name!r} yet")
        elif if_none_match:
            raise errors.RevisionMismatch(f"the {noun} {name!r} exists already")
        else:
            match(noun, found, if_match)
        thing = make(found)
        if thing == found:
            return Put(thing, found)
        if write(thing, None if found is None else found.revision):
            return Put(thing, found)
    raise AssertionError("unreachable")


def delete(
    noun: str,
    *,
    find: Callable[[], Revised],
    remove: Callable[[int], bool],
    if_match: int | None,
) -> None:
    """Remove a thing; raises ``RevisionMismatch``, and what ``find`` raises."""
    for _ in again(noun):
        found = find()
        match(noun, found, if_match)
        if remove(found.revision):
            return


def match(noun: str, found: Revised, if_match: int | None) -> None:
    """Insist on a revision."""
    if if_match is not None and if_match != found.revision:
        raise errors.RevisionMismatch(
            f"the {noun} {found.name!r} is at revision {found.revision}, not {if_match}"
        )
