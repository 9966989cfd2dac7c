"""`fsl batch`: commands over many runs that go on in the background."""

from __future__ import annotations

import click

from fsl import api_calls
from fsl.cli.common import put, say, short_time, styled, table
from fsl.cli.many.progress import follow, get, report
from fsl.cli.remote import remote
from fsl.client import Client


@click.group(no_args_is_help=True)
def batch() -> None:
    """List, follow, stop and continue commands over many runs.

    A batch is made by `fsl retry`, `pause`, `continue`, `stop`, `delete` and `migrate` with filters. It goes on in the
    background, also when the command that made it was interrupted, and is kept for 30 days.

    \b
    fsl batch list --json
    fsl batch watch 20270115T080000000-3fa9c1
    fsl batch stop 20270115T080000000-3fa9c1
    fsl batch continue 20270115T080000000-3fa9c1
    """


@batch.command(name="list")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="How many at most.")
@remote
def list_(*, limit: int, client: Client, as_json: bool) -> None:
    """List batches, newest first.

    \b
    fsl batch list --json | jq -r '.[] | select(.status == "running") | .id'
    """
    found = client.call(api_calls.GET_BATCH, query={"limit": str(limit)}).json()
    if as_json:
        put(found)
        return
    rows = [
        (
            one["id"],
            one["do"] + (" (dry run)" if one["dry_run"] else ""),
            styled(one["status"]),
            f"{one['matched'] - one['left']} of {one['matched']}",
            str(one["refused"] + one["missing"] + one["busy"]),
            one["by"],
            short_time(one["created_at"]),
        )
        for one in found
    ]
    table(("batch", "command", "status", "runs", "failures", "by", "created"), rows)


@batch.command(no_args_is_help=True)
@click.argument("batch_id", metavar="BATCH")
@remote
@click.pass_context
def show(ctx: click.Context, *, batch_id: str, client: Client, as_json: bool) -> None:
    """Show what became of the runs of a batch so far.

    The exit code is 1 if any run was not commanded.
    """
    ctx.exit(report(client, get(client, batch_id, limit="1"), as_json=as_json))


@batch.command(no_args_is_help=True)
@click.argument("batch_id", metavar="BATCH")
@remote
@click.pass_context
def watch(ctx: click.Context, *, batch_id: str, client: Client, as_json: bool) -> None:
    """Follow a batch until it ends.

    The exit code is 1 if any run was not commanded.
    """
    found = follow(client, get(client, batch_id, limit="1"), quiet=as_json)
    ctx.exit(report(client, found, as_json=as_json))


@batch.command(no_args_is_help=True)
@click.argument("batch_id", metavar="BATCH")
@remote
def stop(*, batch_id: str, client: Client, as_json: bool) -> None:
    """Stop a batch. The runs that it has commanded stay as they are."""
    found = client.call(api_calls.POST_BATCH_BATCH_ID_STOP, batch_id, json={}).json()
    if as_json:
        put(found)
    else:
        say(f"batch {batch_id} is {found['status']}: {found['left']} of {found['matched']} runs were left as they were")


@batch.command(name="continue", no_args_is_help=True)
@click.argument("batch_id", metavar="BATCH")
@remote
def continue_(*, batch_id: str, client: Client, as_json: bool) -> None:
    """Continue a batch that was stopped, with the runs that are left."""
    found = client.call(api_calls.POST_BATCH_BATCH_ID_CONTINUE, batch_id, json={}).json()
    if as_json:
        put(found)
    else:
        say(f"batch {batch_id} is {found['status']}: {found['left']} of {found['matched']} runs are left")
