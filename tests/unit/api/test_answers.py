"""Answers are JSON, however deep what they hold is."""

from __future__ import annotations

import json

from crony.api.answers import encoded
from crony.model.task import Json


def nested(depth: int) -> Json:
    """Return an object in an object, so many times."""
    value: Json = "käse"
    for _ in range(depth):
        value = {"a": value}
    return value


def test_what_moved_in_deeper_than_a_body_may_be_is_answered() -> None:
    for depth in (1, 100, 400):
        assert json.loads(encoded(nested(depth))) == nested(depth)


def test_text_goes_as_it_is_without_blanks() -> None:
    assert encoded(nested(1)) == '{"a":"käse"}'.encode()
