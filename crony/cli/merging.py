"""Changes of what is there: some members said, all others as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import click

from crony import errors
from crony.cli import answers
from crony.model.task import Json, JsonObject

SET = click.option(
    "--set",
    "sets",
    metavar="KEY=VALUE",
    multiple=True,
    help="Any member, such as retries.max=3; null takes it away.",
)

#: Somebody else may change the same thing at the same time, but not for ever.
_TRIES = 5


def said(sets: Sequence[str]) -> dict[str, Json]:
    """Return ``a.b=1`` as ``{"a": {"b": 1}}``; what is no JSON is a text."""
    patch: dict[str, Json] = {}
    for each in sets:
        path, equals, text = each.partition("=")
        names = path.split(".")
        if not equals or "" in names:
            raise click.UsageError(f'--set "{each}" is not of the form KEY=VALUE.')
        member: Json = _value(text)
        for name in reversed(names):
            member = {name: member}
        patch = merged(patch, answers.as_object(member), keep_null=True)
    return patch


def merged(
    target: JsonObject, patch: JsonObject, *, keep_null: bool = False
) -> dict[str, Json]:
    """Return an object changed by a merge patch (RFC 7396).

    With ``keep_null`` a null is kept: the result is a patch itself.
    """
    result = dict(target)
    for name, value in patch.items():
        if isinstance(value, Mapping):
            inner = answers.as_object(result.get(name))
            result[name] = merged(inner, value, keep_null=keep_null)
        elif value is None and not keep_null:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def put(
    get: Callable[[str], JsonObject],
    replace: Callable[..., JsonObject],
    name: str,
    patch: JsonObject,
) -> JsonObject:
    """Change a thing by a patch, or make it; nobody else's change is undone."""
    for left in reversed(range(_TRIES)):
        try:
            found = _present(get, name)
            if found is None:
                return replace(name, merged({}, patch), if_none_match="*")
            revision = found["revision"]
            return replace(name, merged(found, patch), if_match=revision)
        except errors.Refused as exc:
            # It was changed, made or removed in between.
            if exc.status != 412 or not left:
                raise
    raise AssertionError("the last try returns or raises")


def _present(get: Callable[[str], JsonObject], name: str) -> JsonObject | None:
    try:
        return get(name)
    except errors.Refused as exc:
        if exc.status != 404:
            raise
        return None


def _value(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value
