"""`fsl lsp`: the language server."""

from __future__ import annotations

import click


@click.command()
def lsp() -> None:
    """Run the language server for editors.

    An editor starts this command and talks to it on standard input and output. fsl/editors describes how to set up an
    editor.

    \b
    fsl lsp
    """
    from fsl.lsp.server import serve

    serve()
