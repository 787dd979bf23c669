"""Members said one by one, and laid over what is there."""

from __future__ import annotations

import click
import pytest

from crony import errors
from crony.cli import merging
from crony.model.task import Json, JsonObject


def test_values_are_json_and_otherwise_text() -> None:
    patch = merging.said(
        ["retries.max=3", "retries.backoff=5s", "deadline=null", 'name="7"', "a=b=c"]
    )
    assert patch == {
        "retries": {"max": 3, "backoff": "5s"},
        "deadline": None,
        "name": "7",
        "a": "b=c",
    }


@pytest.mark.parametrize("text", ["deadline", "=1", "a..b=1", ".a=1"])
def test_what_names_no_member_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.UsageError, match="KEY=VALUE"):
        merging.said([text])


def test_null_takes_a_member_away_or_stays_in_a_patch() -> None:
    there: JsonObject = {"a": {"x": 1, "y": 2}, "b": 1}
    patch: JsonObject = {"a": {"x": None, "z": 3}, "b": None}
    assert merging.merged(there, patch) == {"a": {"y": 2, "z": 3}}
    assert merging.merged({"a": {"x": 1}}, patch, keep_null=True) == {
        "a": {"x": None, "z": 3},
        "b": None,
    }


class Shelf:
    """One thing that others change whenever it was read."""

    def __init__(self, *, changes: int) -> None:
        self.value: dict[str, Json] | None = {"n": 0, "revision": 1}
        self.left = changes

    def get(self, name: str) -> JsonObject:
        if self.value is None:
            raise errors.Refused(404, {"detail": name})
        found = dict(self.value)
        if self.left:
            self.left -= 1
            count, revision = self.value["n"], self.value["revision"]
            assert isinstance(count, int)
            assert isinstance(revision, int)
            self.value = {"n": count + 1, "revision": revision + 1}
        return found

    def put(
        self,
        name: str,
        body: JsonObject,
        *,
        if_match: Json = None,
        if_none_match: str | None = None,
    ) -> JsonObject:
        if if_none_match is not None:
            assert self.value is None
        elif self.value is None or self.value["revision"] != if_match:
            raise errors.Refused(412, {"detail": name})
        self.value = dict(body)
        return body


def test_a_change_of_somebody_else_in_between_is_kept() -> None:
    shelf = Shelf(changes=3)
    made = merging.put(shelf.get, shelf.put, "x", {"said": True})
    assert made == {"n": 3, "revision": 4, "said": True}


def test_changes_that_never_end_are_given_up() -> None:
    shelf = Shelf(changes=100)
    with pytest.raises(errors.Refused):
        merging.put(shelf.get, shelf.put, "x", {"said": True})
    assert 100 - shelf.left == 5


def test_what_is_not_there_is_made() -> None:
    shelf = Shelf(changes=0)
    shelf.value = None
    assert merging.put(shelf.get, shelf.put, "x", {"a": 1, "b": None}) == {"a": 1}
