"""`fsl export`, `fsl schema`: definitions as JSON, and flows for AWS Step Functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from fsl.cli.common import put, write_document
from fsl.cli.documents.asl_export import export_machine
from fsl.cli.documents.files import read_definitions
from fsl.cli.remote import remote
from fsl.client import Client
from fsl.definition_json import exported, schema_text


@click.command("export", no_args_is_help=True)
@click.argument("files", nargs=-1, required=True, metavar="FILES|FLOW")
@click.option("--name", help="Print only the definitions with this name.")
@click.option("--asl", "as_asl", is_flag=True, help="Print a flow as a machine of AWS Step Functions.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@remote
def export(
    *, files: Sequence[str], name: str | None, as_asl: bool, output: Path | None, client: Client, as_json: bool
) -> None:
    """Print definitions as JSON, or a flow for AWS Step Functions.

    The output is a list, or one definition if --name selects one. `fsl schema` prints the JSON Schema of it.

    With --asl it is a definition in Amazon States Language, of the flow in the files or of a flow on the server. What
    Step Functions has not is listed with its lines, and the exit code is 1.

    \b
    fsl export release.fsl --name ci
    fsl export actions.fsl flows.fsl > all.json
    fsl export --asl release.fsl --output release.asl.json
    """
    if as_asl:
        export_machine(files, name, output, client, as_json=as_json)
        return
    found = [exported(value) for value in read_definitions(files) if name in (None, value.name)]
    if not found:
        raise click.ClickException(f"the files define no {name!r}")
    shown = found[0] if name and len(found) == 1 else found
    if output:
        output.write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    else:
        put(shown)


@click.command()
def schema() -> None:
    """Print the JSON Schema of exported definitions.

    \b
    fsl schema > definition.schema.json
    """
    write_document(schema_text())
