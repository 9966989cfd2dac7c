"""`fsl version` and `fsl completion`."""

from __future__ import annotations

import platform

import click
from click.shell_completion import get_completion_class

from chalicelib import FSL_VERSION, __version__
from fsl.cli.common import json_option, put, write, write_document


@click.command()
@json_option
def version(*, as_json: bool) -> None:
    """Print the version of fsl, of the language, and of Python."""
    if as_json:
        put({"fsl": __version__, "language": FSL_VERSION, "python": platform.python_version()})
    else:
        write(f"fsl {__version__} (language {FSL_VERSION}, Python {platform.python_version()})")


@click.command(no_args_is_help=True)
@click.argument("name", metavar="[bash|zsh|fish]", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, name: str) -> None:
    """Print a script for shell completion.

    \b
    eval "$(fsl completion bash)"                            in ~/.bashrc
    eval "$(fsl completion zsh)"                             in ~/.zshrc
    fsl completion fish > ~/.config/fish/completions/fsl.fish
    """
    shell = get_completion_class(name)
    if shell is None:
        raise click.ClickException(f"there is no completion for {name}; choose bash, zsh or fish")
    write_document(shell(ctx.find_root().command, {}, "fsl", "_FSL_COMPLETE").source(), end="\n")
