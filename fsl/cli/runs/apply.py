"""`fsl apply`: apply FSL files to a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

import click

from fsl.cli.common import put, say, styled, table
from fsl.cli.documents.diagnostics import from_json, show
from fsl.cli.remote import remote
from fsl.client import Client, Refused, Resource


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, required=True, type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Print what would change; change nothing.")
@remote
@click.pass_context
def apply(ctx: click.Context, *, files: Sequence[TextIO], dry_run: bool, client: Client, as_json: bool) -> None:
    """Apply FSL files: update definitions and start runs.

    Changed definitions get a new version; each flow_run starts a run. The files are applied in order, each one
    completely or not at all; the command ends at the first file that is refused. `-` is standard input.

    \b
    fsl apply release.fsl
    fsl apply --dry-run actions.fsl flows.fsl
    """
    results: list[Resource] = []
    for file in files:
        name, text = ("stdin" if file.name in ("-", "<stdin>") else file.name), file.read()
        try:
            answer = client.submit(text, dry_run=dry_run)
        except Refused as refused:
            show([from_json(found) for found in refused.diagnostics], text, name)
            if as_json:
                put({**refused.as_json(), "file": name, "results": results})
            say(f"error: {name} was refused and changed nothing: {refused}", "red", err=True)
            ctx.exit(1)
        show([from_json(found) for found in answer["diagnostics"]], text, name)
        results += [{"file": name, **result} for result in answer["results"]]
    if as_json:
        put({"dry_run": dry_run, "results": results})
        return
    rows = [(styled(one["change"]), one["kind"], one["name"], str(one["version"])) for one in results]
    table(("change", "kind", "name", "version"), rows)
    if dry_run:
        say("nothing was changed: this was a dry run")
