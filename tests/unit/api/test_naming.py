"""A store is named by its URL, without whatever may be a password."""

from __future__ import annotations

import pytest

from crony.api.server import naming


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:hunter2@db:5432/crony", "postgresql://ann@db:5432/crony"),
        ("postgresql://db/crony?password=hunter2", "postgresql://db/crony"),
        ("redis://:hunter2@10.0.0.1/0", "redis://10.0.0.1/0"),
        ("mongodb://a:hunter2@h:1,i:2/c?x=y", "mongodb://a@h:1,i:2/c"),
        ("sqlite:///crony.db", "sqlite:///crony.db"),
    ],
)
def test_a_store_is_named_without_its_password(url: str, shown: str) -> None:
    assert naming(url, "it is away").endswith(f"is {shown}")


@pytest.mark.parametrize(
    "url",
    [
        # The parts after a / or a # that belongs to the password.
        "postgresql://ann:hun/ter2@db/crony",
        "redis://:hunter2#x@db/0",
        "redis://ann:hunter2@[db/0",
    ],
)
def test_one_whose_password_can_t_be_told_is_not_quoted(url: str) -> None:
    said = naming(url, "it is away")
    assert "CRONY_STORAGE" in said
    assert "hun" not in said
