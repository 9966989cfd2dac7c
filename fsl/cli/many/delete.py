"""`fsl delete`: delete runs that have ended."""

from __future__ import annotations

import sys
from typing import Any

import click

from fsl.cli.common import put, say
from fsl.cli.many.progress import command_many
from fsl.cli.many.selection import many_runs, one_or_many, selection_of
from fsl.cli.remote import remote
from fsl.client import Client


@click.command(no_args_is_help=True)
@click.argument("name", metavar="[RUN]", required=False)
@many_runs
@remote
@click.pass_context
def delete(ctx: click.Context, /, *, name: str | None, client: Client, as_json: bool, **given: Any) -> None:
    """Delete a run that has ended, or many of them.

    The runs are deleted with their histories; `fsl archive` saves them first. Many runs are selected by filters.

    \b
    fsl delete my_flow_run
    fsl delete --flow order --status succeeded --until 90d --dry-run
    """
    select = selection_of(given, "succeeded,failed,canceled")
    one_or_many(name, select)
    if name is None:
        ctx.exit(command_many(client, "delete", {}, select, given, as_json=as_json))
    if given["dry_run"]:
        ctx.exit(command_many(client, "delete", {}, {"names": [name]}, given, as_json=as_json))
    found = client.get("flowrun", name)
    if not given["yes"]:
        if not sys.stdin.isatty():
            raise click.UsageError("the input is not a terminal, so there is no confirmation: use --yes")
        click.confirm(f"delete run {name}?", abort=True, err=True)
    uuid = str(found["metadata"]["uuid"])
    client.delete("flowrun", name, uuid)
    if as_json:
        put({"deleted": {"kind": "flowrun", "name": name, "uuid": uuid}})
    else:
        say(f"run {name} was deleted")
