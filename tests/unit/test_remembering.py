"""Results are kept of what is short alone."""

from __future__ import annotations

from dataclasses import fields

import pytest

from crony.api.render import policy as render
from crony.model.policy import Policy, PolicySettings, Sandbox, SandboxSettings, length
from crony.remembering import SHORT, remembering
from crony.storage import codec
from crony.storage.sql import levels


def test_what_is_short_is_worked_out_once_and_what_is_long_each_time() -> None:
    done: list[int] = []

    def work(text: str) -> int:
        done.append(len(text))
        return len(text)

    known = remembering(work, length=len)
    for size in (0, SHORT - 1, SHORT, SHORT - 1, SHORT, 0):
        assert known("x" * size) == size
    assert done == [0, SHORT - 1, SHORT, SHORT]


@pytest.mark.parametrize("name", ["ro_paths", "rw_paths", "pass_env"])
def test_a_policy_is_as_long_as_its_lists(name: str) -> None:
    listed = {name: ("/" + "a" * 4000,) * 3}
    assert length(Policy(sandbox=Sandbox(**listed))) == 12_003  # type: ignore[arg-type]
    settings = PolicySettings(sandbox=SandboxSettings(**listed))  # type: ignore[arg-type]
    assert length(settings) == 12_003
    assert length(Policy()) == length(PolicySettings()) == 0


def test_members_that_are_fractions_are_so_by_default_too() -> None:
    """Equal policies are shown as the one that was shown first."""
    shown = render.resolved(
        Policy(), dict.fromkeys([f.name for f in fields(Policy)], "")
    )
    assert repr(shown["retries"]).count("2.0") == 1
    assert repr(shown["sandbox"]).count("1.0") == 1


def test_a_long_row_is_read_anew_each_time() -> None:
    for size, same in ((10, True), (SHORT, False)):
        settings = codec.settings_out(
            PolicySettings(sandbox=SandboxSettings(ro_paths=("x" * size,)))
        )
        row = ("default", "slow", 1, "", settings, 0, 0)
        first, again = levels._profile(row), levels._profile(row)
        assert first == again
        assert (first is again) is same
