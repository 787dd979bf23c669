"""Records as lines of JSON, and back.

A line is one record: ``{"kind": …, "place": …, "after": …, "value": …}``, the value as
``storage.documents`` has it, output in base64. ``place`` is where an export goes on
behind it, for clients. ``after`` is the id of the run or schedule that stands before it
in the export, so that whoever reads the line alone knows of what lies between that
there is nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import cast

from crony import errors
from crony.errors import Fault
from crony.model.group import Group, Profile
from crony.model.moving import MovedRun, MovedSchedule
from crony.model.webhook import Webhook
from crony.model.worker import Key, Tenant
from crony.scheduler.moving.sound import faults
from crony.storage.documents import Document, document_in, document_out

#: The format of the lines that are written, and the newest that is read.
FORMAT = 1

MEDIA_TYPE = "application/x-ndjson"


class Kind(StrEnum):
    """What a line holds, in the order of an export."""

    HEADER = "header"
    TENANT = "tenant"
    PROFILE = "profile"
    GROUP = "group"
    KEY = "key"
    SCHEDULE = "schedule"
    RUN = "run"
    #: All runs of a tenant have come.
    RUNS = "runs"
    WEBHOOK = "webhook"
    #: Of a tenant: now everything has come.
    END = "end"
    #: Of the whole export.
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an export is, and of when."""

    format: int
    #: The release that wrote it.
    crony: str
    at: datetime
    tenants: tuple[str, ...]
    #: Whether webhooks have their secrets.
    secrets: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """All runs of a tenant have come: behind the last there is none."""

    tenant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of a tenant, which may now refer to all that has come of it."""

    tenant: Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """The end of an export."""

    at: datetime


Value = (
    Header
    | Tenant
    | Profile
    | Group
    | Key
    | MovedSchedule
    | MovedRun
    | Runs
    | Webhook
    | End
    | Complete
)

_CLASSES: dict[Kind, type[Value]] = {
    Kind.HEADER: Header,
    Kind.TENANT: Tenant,
    Kind.PROFILE: Profile,
    Kind.GROUP: Group,
    Kind.KEY: Key,
    Kind.SCHEDULE: MovedSchedule,
    Kind.RUN: MovedRun,
    Kind.RUNS: Runs,
    Kind.WEBHOOK: Webhook,
    Kind.END: End,
    Kind.COMPLETE: Complete,
}
_KINDS = {kind: word for word, kind in _CLASSES.items()}
_ORDER = list(Kind)


@dataclass(frozen=True, slots=True)
class Record:
    """One line."""

    value: Value
    #: ``None`` of what has no order that matters.
    after: str | None = None

    @property
    def kind(self) -> Kind:
        """What it is."""
        return _KINDS[type(self.value)]

    @property
    def tenant(self) -> str:
        """Whose it is; of the whole export's it is nobody's."""
        value = self.value
        match value:
            case Header() | Complete():
                return ""
            case Tenant():
                return value.name
            case End():
                return value.tenant.name
            case MovedRun():
                return value.run.tenant
        return value.tenant

    @property
    def place(self) -> str:
        """Where an export goes on behind it; nowhere but behind what is a tenant's."""
        if not self.tenant:
            return ""
        return Place(self.tenant, self.kind, self.id).text()

    @property
    def id(self) -> str:
        """Its id or name."""
        value = self.value
        match value:
            case Header() | Complete() | Runs() | End():
                return ""
            case MovedRun():
                return value.run.id
            case Key() | MovedSchedule():
                return value.id
        return value.name


@dataclass(frozen=True, slots=True)
class Place:
    """Where an export goes on: behind this record."""

    tenant: str
    kind: Kind
    id: str

    def text(self) -> str:
        """Return it as one word."""
        return f"{self.tenant}/{self.kind}/{self.id}"

    @classmethod
    def of(cls, text: str) -> Place:
        """Return the place of ``text``'s word; raises ``ValueError``."""
        tenant, kind, identity = text.split("/")
        return cls(tenant, Kind(kind), identity)

    def behind(self, tenant: str, kind: Kind) -> bool:
        """Return whether all of this tenant's records of that kind lie before it."""
        return (tenant, _ORDER.index(kind)) < (self.tenant, _ORDER.index(self.kind))


def written(value: Value, *, after: str | None = None) -> bytes:
    """Return the line of a record."""
    document = document_out(value)
    if isinstance(value, MovedRun):
        document = _with_output(document, _encoded)
    if isinstance(value, MovedSchedule):
        document = _without_definitions(document)
    record = Record(value, after)
    line: dict[str, object] = {"kind": record.kind.value, "place": record.place}
    if after is not None:
        line["after"] = after
    line["value"] = document
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def read(line: bytes) -> Record:
    """Return the record of a line.

    Raises ``MalformedBody`` for what is not JSON, and ``InvalidBody`` with all faults
    of what is no record.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise errors.MalformedBody("the line is not JSON") from exc
    if not isinstance(document, dict):
        raise _fault("", "must be an object")
    kind, after = document.get("kind"), document.get("after")
    if not isinstance(kind, str) or kind not in list(Kind):
        raise _fault("/kind", f"must be one of {', '.join(Kind)}")
    if after is not None and not isinstance(after, str):
        raise _fault("/after", "must be an id")
    value = _value(_CLASSES[Kind(kind)], document.get("value"))
    found = faults(value, at="/value")
    if found:
        raise errors.InvalidBody(found)
    return Record(value, after)


def _value(kind: type[Value], document: object) -> Value:
    if not isinstance(document, dict):
        raise _fault("/value", "must be an object")
    lacking = [
        f.name
        for f in fields(kind)
        if f.default is MISSING
        and f.default_factory is MISSING
        and f.name not in document
    ]
    if lacking:
        raise _fault("/value", f"lacks {', '.join(lacking)}")
    try:
        if kind is MovedRun:
            document = _with_output(document, _decoded)
        if kind is MovedSchedule:
            document = _with_definitions(document)
        return document_in(kind, document)
    # Whatever a document may have in the place of what belongs there.
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as exc:
        raise _fault("/value", f"is no {_KINDS[kind]} as an export has it") from exc


def _fault(pointer: str, detail: str) -> errors.InvalidBody:
    return errors.InvalidBody([Fault(pointer, detail)])


def _without_definitions(document: Document) -> Document:
    """Return a schedule's document with each definition once."""
    schedule = cast("Document | None", document["schedule"])
    versions = cast("list[Document]", document["versions"])
    return {
        **document,
        "schedule": schedule and _without_definition(schedule),
        "versions": [_without_definition(version) for version in versions],
    }


def _without_definition(document: Document) -> Document:
    return {name: each for name, each in document.items() if name != "definition"}


def _with_definitions(document: Document) -> Document:
    """Return a schedule's document with the definition of each revision in place."""
    known = dict(cast("list[tuple[int, object]]", document["definitions"]))

    def defined(part: Document) -> Document:
        return {**part, "definition": known[cast("int", part["revision"])]}

    schedule = cast("Document | None", document["schedule"])
    versions = cast("list[Document]", document["versions"])
    return {
        **document,
        "schedule": schedule and defined(schedule),
        "versions": [defined(version) for version in versions],
    }


def _with_output(
    document: Mapping[str, object], way: Callable[[object], object]
) -> Document:
    """Return a run's document with the data of its output in another form."""
    output = cast("list[tuple[int, list[Document]]]", document.get("output", []))
    changed = [
        [token, [{**chunk, "data": way(chunk["data"])} for chunk in chunks]]
        for token, chunks in output
    ]
    return {**document, "output": changed}


def _encoded(data: object) -> object:
    return base64.b64encode(cast("bytes", data)).decode("ascii")


def _decoded(text: object) -> object:
    try:
        return base64.b64decode(cast("str", text), validate=True)
    except binascii.Error as exc:
        raise ValueError("not base64") from exc
