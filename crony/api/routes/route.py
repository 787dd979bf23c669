"""One operation of the API, and who may use it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from crony.model.worker import Role

ADMIN = frozenset({Role.ADMIN})
OPERATE = ADMIN | {Role.OPERATOR}
EDIT = OPERATE | {Role.EDITOR}
VIEW = EDIT | {Role.VIEWER}
ENROLL = OPERATE | {Role.ENROLL}
WORK = frozenset({Role.WORKER})
PUBLIC: frozenset[Role] = frozenset()

PAGE = ("limit", "cursor")
RUN_FILTERS = ("state", "since", "until", "worker", "group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation: how it is reached, by whom, and with what."""

    method: str
    path: str
    operation: str
    summary: str
    tag: str
    #: What the summary can't say.
    note: str = ""
    #: Empty: no key is needed.
    roles: frozenset[Role]
    query: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    #: The media type of a body that is no JSON object.
    takes: str | None = None
    #: An action may come without a body.
    body_optional: bool = False
    #: Bodies of up to 16 MiB instead of 1 MiB.
    large: bool = False
    #: The status of success, and the name of the answer's schema.
    status: int = 200
    answer: str | None = None
    #: Statuses of success beside ``status``.
    also: tuple[int, ...] = ()
    #: Types of problems beside those that any route may answer.
    problems: tuple[str, ...] = ()
    #: Takes an ``Idempotency-Key``.
    creates: bool = False
    #: Takes ``If-Match``.
    conditional: bool = False
    #: What it answers with, besides problems.
    media: tuple[str, ...] = ("application/json",)
    #: A worker's own calls and probes: too many for the log at info.
    quiet: bool = False


def get(path: str, operation: str, summary: str, tag: str, **more: object) -> Route:
    values = {"roles": VIEW, **more}
    return Route(
        method="GET",
        path=path,
        operation=operation,
        summary=summary,
        tag=tag,
        **values,  # type: ignore[arg-type]  # the table below is its only caller
    )
