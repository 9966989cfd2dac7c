"""`fsl graph`: draw flows and runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from chalicelib import diagrams
from fsl.cli.common import write_document
from fsl.cli.documents.files import STDIN, find_flow, read_definitions
from fsl.cli.remote import remote
from fsl.client import Client

FORMATS: Final = ("text", "json", "mermaid", "dot", "svg")


@click.command(no_args_is_help=True)
@click.argument("file", metavar="FILE|NAME")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--flow", "name", help="The flow (or flow_run with steps) to draw, if the file has several.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the graph to this file.")
@remote
def graph(*, file: str, form: str, name: str | None, output: Path | None, client: Client, as_json: bool) -> None:
    """Draw the state diagram of a flow or run.

    The argument is a file with FSL, or the name of a flow or run on the server.

    \b
    fsl graph release.fsl
    fsl graph orders.fsl --flow order --format svg -o order.svg
    fsl graph orders.fsl --flow order --format mermaid
    fsl graph my_flow_run --format svg -o run.svg
    """
    form = "json" if as_json else form
    if file == STDIN or Path(file).exists():
        text = _rendered(diagrams.graph_of(find_flow(read_definitions([file]), name)), form)
    else:
        text = client.diagram(file, "mermaid" if form == "text" else form)
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        write_document(text)


def _rendered(drawing: diagrams.Graph, form: str) -> str:
    match form:
        case "json":
            return diagrams.as_text(drawing)
        case "mermaid":
            return diagrams.mermaid(drawing)
        case "dot":
            return diagrams.dot(drawing)
        case "svg":
            return diagrams.svg(drawing)
        case _:
            return diagrams.listing(drawing)
