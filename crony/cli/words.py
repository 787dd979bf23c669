"""Lists of known words on the command line, with commas between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Words(click.ParamType[list[str]]):
    """One or several of some words: ``failed,timed_out``."""

    name = "words"

    def __init__(self, known: Sequence[str]) -> None:
        self.known = tuple(known)

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[str]:
        """Return the words; the nearest is named for one that is not known."""
        words = [word.strip() for word in value.split(",")]
        for word in words:
            if word not in self.known:
                # Imported here: most words are known.
                from difflib import get_close_matches

                close = get_close_matches(word, self.known, n=1)
                hint = f'did you mean "{close[0]}"?' if close else self._all()
                self.fail(f'"{word}" is not known; {hint}', param, ctx)
        return words

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete the last word of the list."""
        # Imported here: a command that runs proposes nothing.
        from click.shell_completion import CompletionItem

        before, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(before + comma + word)
            for word in self.known
            if word.startswith(last)
        ]

    def _all(self) -> str:
        return "these are: " + ", ".join(self.known)
