"""``perfline completion``: what a shell needs to complete subcommands, options and names of chains."""

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> None:
    """Print a script that makes SHELL complete 'perfline' at the Tab key.

    \b
    bash:  perfline completion bash > ~/.local/share/bash-completion/completions/perfline
    zsh:   perfline completion zsh > "${fpath[1]}/_perfline"
    fish:  perfline completion fish > ~/.config/fish/completions/perfline.fish
    """
    root = click.get_current_context().find_root()
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(completion(root.command, {}, "perfline", "_PERFLINE_COMPLETE").source())
