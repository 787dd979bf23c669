"""What is found, and what is done to a service on purpose."""

from __future__ import annotations


class Violation(BaseException):
    """A guarantee did not hold.

    ``kind`` is one word for which: the planted bugs are told apart by it. Not an
    ``Exception``, since it is found in the middle of the service, which outlives those.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class Crash(BaseException):
    """The process of a node ends here.

    Not an ``Exception``: nobody in the service may catch it and go on.
    """


class Gone(Exception):
    """A node died under a request: its caller sees a broken connection."""
