"""`fsl list`: the definitions, runs, steps and events of a server."""

from __future__ import annotations

from typing import Final

import click

from chalicelib.model.status import LIVE
from fsl.cli.common import put, say, table
from fsl.cli.filters import query_of, run_filters
from fsl.cli.remote import remote
from fsl.cli.runs.rows import HEADINGS, row, run_table
from fsl.client import Client, QueryValue

DEFINITIONS: Final = ("action", "flow", "eventtype", "config", "schedule", "hook")
KINDS: Final = (*DEFINITIONS, "flowrun", "step", "event")
KIND: Final = click.Choice(KINDS)
MAX_PAGE_ENTRIES: Final = 1_000
"""The largest page that the API returns."""


@click.command(name="list")
@click.argument("kind", type=KIND, default="flowrun")
@run_filters
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_PAGE_ENTRIES),
    default=50,
    show_default=True,
    help="The maximum number of entries; of steps, the number of runs.",
)
@click.option("--all", "everything", is_flag=True, help="List all entries.")
@click.option("--children", is_flag=True, help="Show the runs that others called, under their callers.")
@click.option("--full", is_flag=True, help="With --json: print runs whole, with their steps and variables.")
@remote
def list_(
    *,
    kind: str,
    limit: int,
    everything: bool,
    children: bool,
    full: bool,
    client: Client,
    as_json: bool,
    **filters: QueryValue,
) -> None:
    """List runs, definitions, waiting steps or events.

    Runs are listed newest first, with the reason why a run failed. A run that others called is folded into its
    caller: NAME (+2). Steps are those that wait in live runs; with --status, all steps that such runs have entered.

    \b
    fsl list
    fsl list flow
    fsl list flowrun --status failed --since 24h
    fsl list --label team=payments --label urgent=true --all --json
    """
    query = query_of(filters)
    if query and kind not in ("flowrun", "step"):
        option = next(iter(query)).replace("_", "-")
        raise click.UsageError(f"--{option} selects runs and steps; a list of type {kind} has no filters")
    if kind == "step" and "status" not in query:
        query["status"] = ",".join(sorted(LIVE))
    if kind == "flowrun":
        query["view"] = "full" if full and as_json else "summary"
    if everything:
        found, more = list(client.every(kind, **{**query, "limit": str(MAX_PAGE_ENTRIES)})), False
    else:
        found, more = client.up_to(kind, limit, **query)
    if kind == "step" and not filters.get("status"):
        found = [one for one in found if not one["spec"]["action_run"]["done"]]
    if as_json:
        put(found)
        return
    if kind == "flowrun":
        table(*run_table(found, unfold=children))
    else:
        table(HEADINGS[kind], [row(kind, one) for one in found])
    if more:
        say(f"there are more than {len(found)} entries; use --limit or --all", "dim", err=True)
