"""`fsl apply`: documents come into force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TextIO

import click

from fsl.cli.common import diagnostic, put, remote, say, show, styled, table
from fsl.client import Client, Refused, Resource


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, required=True, type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@remote
@click.pass_context
def apply(ctx: click.Context, *, files: Sequence[TextIO], dry_run: bool, client: Client, as_json: bool) -> None:
    """Put FSL documents in force: actions and flows get a new version, runs begin.

    Each of the FILES is taken as a whole or not at all, one after another; the first that is refused ends it.
    `-` is standard input.

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
            show([diagnostic(found) for found in refused.diagnostics], text, name)
            if as_json:
                put({**refused.as_json(), "file": name, "results": results})
            say(f"error: {name}: nothing of it was changed: {refused}", "red", err=True)
            ctx.exit(1)
        show([diagnostic(found) for found in answer["diagnostics"]], text, name)
        results += [{"file": name, **result} for result in answer["results"]]
    if as_json:
        put({"dry_run": dry_run, "results": results})
        return
    rows = [(styled(one["change"]), one["kind"], one["name"], str(one["version"])) for one in results]
    table(("change", "kind", "name", "version"), rows)
    if dry_run:
        say("nothing was changed: this was a dry run")


COMMANDS: Final = (apply,)
