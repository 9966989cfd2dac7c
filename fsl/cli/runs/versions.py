"""`fsl diff`: the versions of a flow, and what changed between two of them."""

from __future__ import annotations

import click

from fsl import api_calls
from fsl.cli.common import put, say, short_time, table
from fsl.cli.remote import remote
from fsl.client import Client, Resource

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


@click.command(no_args_is_help=True)
@click.argument("flow")
@click.option("--from", "before", type=click.IntRange(1), metavar="N", help="The earlier version.")
@click.option("--to", "after", type=click.IntRange(1), metavar="N", help="The later version; by default the newest.")
@click.option("--versions", is_flag=True, help="List the versions, with who submitted each and when.")
@remote
def diff(*, flow: str, before: int | None, after: int | None, versions: bool, client: Client, as_json: bool) -> None:
    """Show what changed between two versions of a flow.

    By default these are the last two. Steps, routes and settings that changed are listed before the text.

    \b
    fsl diff order --versions
    fsl diff order
    fsl diff order --from 3 --to 5
    """
    if versions:
        _list(client, flow, as_json=as_json)
        return
    query = {"from": str(before) if before else None, "to": str(after) if after else None}
    found: Resource = client.call(api_calls.GET_FLOW_NAME_DIFF, flow, query=query).json()
    if as_json:
        put(found)
        return
    for line in (*_summary(found), ""):
        say(line, _STYLES.get(line[:1], ""))
    for line in str(found["text"]).splitlines():
        say(line, _STYLES.get(line[:1], ""))


def _list(client: Client, flow: str, *, as_json: bool) -> None:
    found: list[Resource] = client.call(api_calls.GET_FLOW_NAME_VERSIONS, flow).json()
    if as_json:
        put(found)
        return
    rows = [(str(one["version"]), short_time(one["created_at"]), str(one["created_by"])) for one in found]
    table(("version", "at", "by"), rows)


def _summary(found: Resource) -> list[str]:
    """Return a line for each step, route, action and setting that changed."""
    steps = found["steps"]
    lines = [f"+ step {one['step']}" for one in steps["added"]]
    lines += [f"- step {one['step']}" for one in steps["removed"]]
    for sign, which in (("-", "removed"), ("+", "added")):
        for one in steps["changed"]:
            lines += [f"{sign} step {one['step']}: {route}" for route in one["routes"][which]]
    for one in steps["changed"]:
        lines += [f"* step {one['step']}: {setting['name']}" for setting in one["settings"]]
    for sign, which in (("-", "removed"), ("+", "added")):
        lines += [f"{sign} action {name}" for name in found["actions"][which]]
        lines += [f"{sign} flow {name}" for name in found["flows"][which]]
    lines += [f"* {setting['name']}" for setting in found["settings"]]
    return lines
