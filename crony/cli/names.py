"""Names of what the service has: completed in a shell, else taken as they are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from crony import errors
from crony.cli import answers
from crony.cli.session import Session, find_key

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from crony.client import Client
    from crony.client.transport import Answer

#: Nobody waits longer for a proposal.
_PATIENCE = timedelta(seconds=2)


class Name(click.ParamType[str]):
    """The name, or the id, of a schedule, a group, a profile or a webhook."""

    def __init__(self, noun: str) -> None:
        self.name = noun

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Propose the names that begin so; none where the service can't be asked."""
        # Imported here: a command that runs proposes nothing.
        from click.shell_completion import CompletionItem

        said = {name: ctx.params.get(name) for name in ("config", "key_file")}
        if said["key_file"] == "-":
            return []
        try:
            session = Session(
                **said,
                api=ctx.params.get("api") or (),
                tenant=ctx.params.get("tenant"),
                as_json=False,
            )
            found = self._page(_client(session), incomplete)
        except errors.CronyError:
            return []
        names = (answers.text(each, "name") for each in answers.members(found, "items"))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    def _page(self, client: Client, incomplete: str) -> Answer:
        match self.name:
            case "group":
                return client.list_groups(limit=1000)
            case "profile":
                return client.list_profiles(limit=1000)
            case "webhook":
                return client.list_webhooks(limit=1000)
            case _:
                # Of a hundred thousand, those that fit.
                return client.list_schedules(limit=1000, q=incomplete or None)


def _client(session: Session) -> Client:
    from crony.client import Client

    settings = session.settings
    return Client(
        settings.client.api_url,
        key=find_key(settings),
        tenant=session.tenant,
        timeout=_PATIENCE,
    )


SCHEDULE = Name("schedule")
GROUP = Name("group")
PROFILE = Name("profile")
WEBHOOK = Name("webhook")
