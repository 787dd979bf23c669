"""`crony profiles`: policy with a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import click

from crony.cli import answers, merging, output, policy_options, task_options
from crony.cli.lines import pairs_line
from crony.cli.names import PROFILE
from crony.cli.nouns import list_by_itself
from crony.cli.session import Session, connected
from crony.cli.trigger_options import given
from crony.model.task import Json, JsonObject

#: What a profile has besides policy.
BESIDE = frozenset(
    {
        "name",
        "tenant",
        "revision",
        "description",
        "used_by",
        "created_at",
        "updated_at",
    }
)


@click.group(invoke_without_command=True)
@click.pass_context
def profiles(context: click.Context) -> None:
    """List, make, change and remove profiles; by itself it lists them."""
    list_by_itself(context, ls)


@profiles.command()
@connected
def ls(session: Session, /) -> None:
    """List all profiles."""
    found = list(session.client.each_profile())
    session.show({"items": found}, lambda: _list(found))


@profiles.command()
@click.argument("profile", type=PROFILE)
@connected
def show(session: Session, /, *, profile: str) -> None:
    """Show PROFILE: what it sets, and who takes it."""
    found = session.client.get_profile(profile)
    session.show(found, lambda: _show(found))


@profiles.command("set")
@click.argument("profile", type=PROFILE)
@given(policy_options.OPTIONS)
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option("--file", metavar="FILE", help="Members as JSON; - is stdin.")
@merging.SET
@connected
def set_(
    session: Session,
    /,
    *,
    profile: str,
    file: str | None,
    sets: tuple[str, ...],
    **said: object,
) -> None:
    """Make PROFILE, or change what is said of it.

    A change holds from the next occurrences on.

    \b
    crony profiles set heavy --max-runtime 6h --sandbox memory=4G --retries 2
    crony profiles set heavy --set deadline=null
    """
    options = cast(dict[str, Json], said)
    patch: dict[str, Json] = {}
    if file:
        text = task_options.content("--file", file)
        patch.update(answers.as_object(task_options.parsed("--file", text, dict)))
    for more in (policy_options.policy_of(options), merging.said(sets)):
        patch = merging.merged(patch, more, keep_null=True)
    if options["description"] is not None:
        patch["description"] = options["description"]
    client = session.client
    made = merging.put(client.get_profile, client.put_profile, profile, patch)
    session.show(made, lambda: _show(made))


@profiles.command()
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...", type=PROFILE)
@connected
def rm(session: Session, /, *, profiles: tuple[str, ...]) -> None:
    """Remove profiles that nothing takes."""
    for profile in profiles:
        session.client.delete_profile(profile)
        output.note(f"removed {profile}")


def _list(found: Sequence[JsonObject]) -> None:
    if not found:
        output.note(
            "no profiles yet; make one: crony profiles set heavy --max-runtime 6h"
        )
        return
    rows = [
        (answers.text(profile, "name"), "; ".join(_lines(profile)), _used(profile))
        for profile in found
    ]
    output.table(("NAME", "SETS", "USED BY"), rows)


def _used(profile: JsonObject) -> str:
    uses = answers.member(profile, "used_by")
    counts = [
        output.counted(answers.text(uses, noun), noun.removesuffix("s"))
        for noun in uses
        if uses[noun]
    ]
    return ", ".join(counts) or "nothing"


def _lines(profile: JsonObject) -> list[str]:
    """Return what it sets."""
    lines = []
    for name, value in profile.items():
        if name not in BESIDE and value is not None:
            inner = pairs_line(answers.as_object(value))
            lines.append(f"{name} {inner or answers.text(profile, name)}")
    return lines


def _show(profile: JsonObject) -> None:
    output.facts(
        {
            "name": answers.text(profile, "name"),
            "about": answers.text(profile, "description"),
            "sets": "; ".join(_lines(profile)) or "nothing",
            "used by": _used(profile),
        }
    )
