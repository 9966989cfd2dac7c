"""`fsl export`, `fsl schema`: definitions as JSON."""

from __future__ import annotations

from collections.abc import Sequence

import click

from fsl.cli.common import put, write_document
from fsl.cli.documents.files import read_definitions
from fsl.definition_json import exported, schema_text


@click.command("export", no_args_is_help=True)
@click.argument("files", nargs=-1, required=True)
@click.option("--name", help="Print only the definitions with this name.")
def export(*, files: Sequence[str], name: str | None) -> None:
    """Print the definitions of FSL files as JSON.

    The output is a list, or one definition if --name selects one. `fsl schema` prints the JSON Schema of it.

    \b
    fsl export release.fsl --name ci
    fsl export actions.fsl flows.fsl > all.json
    """
    found = [exported(value) for value in read_definitions(files) if name in (None, value.name)]
    if not found:
        raise click.ClickException(f"the files define no {name!r}")
    put(found[0] if name and len(found) == 1 else found)


@click.command()
def schema() -> None:
    """Print the JSON Schema of exported definitions.

    \b
    fsl schema > definition.schema.json
    """
    write_document(schema_text())
