"""`crony apply`: create and replace many schedules, as files say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import click

from crony import errors
from crony.cli import answers, failures, output, task_options
from crony.cli.session import Session, connected
from crony.model.task import Json, JsonObject

if TYPE_CHECKING:
    from crony.client import Client

#: What one request may hold, with room for what is around the schedules.
_MOST, _MOST_BYTES = 1000, 15 * 1024 * 1024

#: So many are asked for one by one; for more, the whole list is read.
_FEW = 50

_COLOURS = {"created": "green", "changed": "cyan", "refused": "red"}


class _Item(NamedTuple):
    """A schedule, and where it was written."""

    place: str
    body: JsonObject

    @property
    def name(self) -> str:
        return answers.text(self.body, "name")


class _Result(NamedTuple):
    """What became of a schedule."""

    item: _Item
    word: str
    answer: JsonObject


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@connected
def apply(session: Session, /, *, files: tuple[str, ...]) -> None:
    """Create, or replace by their names, the schedules of each FILE; - is stdin.

    A file holds a JSON array of schedules, or one schedule a line. Each schedule is
    judged by itself; exit 1 if one is refused. The same files again change nothing.

    \b
    crony apply schedules.json
    crony ls --json | crony apply --api https://other.example.org -
    """
    items = [item for path in files for item in _read(path)]
    results: list[_Result] = []
    revisions = _revisions(session.client, items)
    for part in _parts(items):
        for result in _applied(session.client, part, revisions):
            results.append(result)
            if not session.as_json:
                _tell(result)
    if session.as_json:
        output.document({"results": [_document(result) for result in results]})
    if any(result.word == "refused" for result in results):
        click.get_current_context().exit(failures.REFUSED)


def _read(path: str) -> list[_Item]:
    """Return the schedules of a file; what is none of them is wrong usage."""
    text = task_options.content("FILE", path)
    path = "stdin" if path == "-" else path
    try:
        whole: Json = json.loads(text)
    except ValueError:
        return [_line(path, number, line) for number, line in _lines(text)]
    if isinstance(whole, dict) and "items" in whole and set(whole) <= {"items", "next"}:
        # As lists are printed.
        whole = whole.get("items")
    found = whole if isinstance(whole, list) else [whole]
    return [_item(f"{path}[{n}]", value) for n, value in enumerate(found)]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line


def _line(path: str, number: int, line: str) -> _Item:
    place = f"{path}:{number}"
    try:
        return _item(place, json.loads(line))
    except ValueError as exc:
        raise click.UsageError(f"{place} is not JSON: {exc}.") from exc


def _item(place: str, value: Json) -> _Item:
    if not isinstance(value, dict):
        raise click.UsageError(f"{place} is no schedule: it must be a JSON object.")
    return _Item(place, value)


def _revisions(client: Client, items: Sequence[_Item]) -> dict[str, Json]:
    """Return the revisions of those that are there already, by name."""
    names = {item.name for item in items if item.name}
    if len(names) > _FEW:
        found = client.each_schedule()
        return {answers.text(each, "name"): each["revision"] for each in found}
    revisions: dict[str, Json] = {}
    for name in sorted(names):
        try:
            revisions[name] = client.get_schedule(name)["revision"]
        except errors.Refused as exc:
            # A name that can't be one is refused with all other faults.
            if exc.status not in (404, 400):
                raise
    return revisions


def _parts(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    """Yield as many as a request may hold at a time."""
    part: list[_Item] = []
    size = 0
    for item in items:
        more = len(json.dumps(item.body)) + 1
        if part and (len(part) == _MOST or size + more > _MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += more
    if part:
        yield part


def _applied(
    client: Client, part: Sequence[_Item], revisions: dict[str, Json]
) -> Iterator[_Result]:
    answer = client.batch_schedules(
        [item.body for item in part], idempotency_key=str(uuid4())
    )
    for item, result in zip(part, answers.members(answer, "results"), strict=True):
        schedule = answers.member(result, "schedule")
        if not schedule:
            yield _Result(item, "refused", answers.member(result, "problem"))
            continue
        revision = schedule["revision"]
        if result["status"] == 201:
            word = "created"
        else:
            word = "unchanged" if revisions.get(item.name) == revision else "changed"
        revisions[item.name] = revision
        yield _Result(item, word, schedule)


def _tell(result: _Result) -> None:
    word = click.style(f"{result.word:<9}", fg=_COLOURS.get(result.word))
    if result.word == "refused":
        title = f"{result.item.name or '-'} ({result.item.place})"
        click.echo(f"{word}  {output.plain(title)}: {_faults(result.answer)}")
    else:
        title = result.item.name or answers.text(result.answer, "id")
        click.echo(f"{word}  {output.plain(title)}")


def _faults(problem: JsonObject) -> str:
    """Return all that is wrong with a schedule, on one line."""
    found = [
        f"{_member(answers.text(fault, 'pointer'))}: {answers.text(fault, 'detail')}"
        for fault in answers.members(problem, "errors")
    ]
    return output.plain("; ".join(found) or answers.text(problem, "detail"))


def _member(pointer: str) -> str:
    """Return the member of a schedule that a fault of a batch points to."""
    _, _, inner = pointer.removeprefix("/schedules/").partition("/")
    return failures.field("/" + inner) if inner else "the schedule"


def _document(result: _Result) -> JsonObject:
    known = "problem" if result.word == "refused" else "schedule"
    return {
        "place": result.item.place,
        "name": result.item.name or None,
        "outcome": result.word,
        known: result.answer,
    }
