"""What the server answers of documents it does not have yet.

A verb sees its own writes before they are anywhere: its questions are asked of the
server and, in the few words that are used, of what it has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from crony.storage.documents import Document

#: What documents must say: a value, or operators with theirs, by member.
Filter = Mapping[str, object]

#: Members to sort by, each 1 (upwards) or -1.
Sort = Sequence[tuple[str, int]]

#: As numbers and texts of a document compare with those of their kind.
_Comparable = tuple[int, int | float | str]


def matches(document: Document, where: Filter) -> bool:
    """Return whether a document says all of this."""
    return all(
        any(matches(document, each) for each in cast("list[Filter]", asked))
        if name == "$or"
        else _holds(member_of(document, name), asked)
        for name, asked in where.items()
    )


def member_of(document: Document, name: str) -> object:
    """Return a member; its name may lead into a member that is a document."""
    found: object = document
    for part in name.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(part)
    return found


def _holds(value: object, asked: object) -> bool:
    if not isinstance(asked, dict):
        # Of a list, one of its items.
        return value == asked or (isinstance(value, list) and asked in value)
    return all(_OPERATORS[name](value, than) for name, than in asked.items())


def _compared(
    verdict: Callable[[_Comparable, _Comparable], bool],
) -> Callable[[object, object], bool]:
    def compare(value: object, than: object) -> bool:
        # The server compares what is of one kind only, and nothing with what is absent.
        one, other = _place(value), _place(than)
        return value is not None and one[0] == other[0] and verdict(one, other)

    return compare


_OPERATORS: dict[str, Callable[[object, object], bool]] = {
    "$in": lambda value, among: value in cast("list[object]", among),
    "$nin": lambda value, among: value not in cast("list[object]", among),
    "$ne": lambda value, other: value != other,
    "$exists": lambda value, there: (value is not None) is there,
    "$gt": _compared(lambda value, than: value > than),
    "$gte": _compared(lambda value, than: value >= than),
    "$lt": _compared(lambda value, than: value < than),
    "$lte": _compared(lambda value, than: value <= than),
}


def _place(value: object) -> _Comparable:
    """Return where a value stands in the server's order: absent, number, text, bool."""
    if value is None:
        return (0, 0)
    if isinstance(value, bool):
        return (3, value)
    if isinstance(value, (int, float)):
        return (1, value)
    return (2, cast("str", value))


def ordered(documents: Sequence[Document], sort: Sort) -> list[Document]:
    """Return documents as the server would sort them."""
    result = list(documents)
    for name, direction in reversed(sort):
        result.sort(
            key=lambda document: _place(member_of(document, name)),
            reverse=direction < 0,
        )
    return result
