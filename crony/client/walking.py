"""Lists come in pages; this walks through them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

from crony.client.transport import Answer, Parameter


class _Page(Protocol):
    def __call__(self, **params: Parameter) -> Answer:
        """Get one page of a list."""


def each(page: _Page, params: Mapping[str, Parameter]) -> Iterator[Answer]:
    """Yield the items of all pages, asking for each page when it is needed."""
    wanted = {"limit": 1000, **params}
    while True:
        got = page(**wanted)
        yield from cast(Sequence[Answer], got["items"])
        if got["next"] is None:
            return
        wanted["cursor"] = str(got["next"])
