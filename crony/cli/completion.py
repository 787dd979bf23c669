"""`crony completion`: make a shell complete the commands and their options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete `crony`; let it read that at its start.

    \b
    bash: eval "$(crony completion bash)"    in ~/.bashrc
    zsh:  eval "$(crony completion zsh)"     in ~/.zshrc
    fish: crony completion fish | source     in ~/.config/fish/config.fish
    """
    found = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    if found is None:
        raise click.UsageError(f"{shell} is not a shell that is known here.")
    source = found(root, {}, "crony", "_CRONY_COMPLETE").source()
    # Where Crony has nothing to propose, bash proposes files.
    files = "-o bashdefault -o default"
    click.echo(source.replace("complete -o nosort", f"complete -o nosort {files}"))
