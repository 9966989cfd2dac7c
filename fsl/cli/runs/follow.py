"""`fsl history` and `fsl watch`: the transitions of a run."""

from __future__ import annotations

import click

from fsl.cli.common import exact_time, put, put_line, say, table, time_of_day
from fsl.cli.remote import remote
from fsl.client import Client, Resource
from fsl.transition_text import transition


@click.command(no_args_is_help=True)
@click.argument("name", metavar="RUN")
@remote
def history(*, name: str, client: Client, as_json: bool) -> None:
    """Show all transitions of a run.

    \b
    fsl history my_flow_run
    """
    entries = client.history(name)
    if as_json:
        put(entries)
        return
    rows = [
        (str(one["seq"]), exact_time(one["at"]), one["from"] or one["step"], one["to"], one["event"], one["state"], _by(one))
        for one in entries
    ]
    table(("seq", "at", "from", "to", "event", "state", "by"), rows)


def _by(entry: Resource) -> str:
    return f"{entry['by']}: {entry['error']}" if entry.get("error") else str(entry["by"])


@click.command(no_args_is_help=True)
@click.argument("name", metavar="RUN")
@click.option("--after", type=click.IntRange(0), default=0, help="Start after the transition with this number.")
@remote
@click.pass_context
def watch(ctx: click.Context, *, name: str, after: int, client: Client, as_json: bool) -> None:
    """Show the transitions of a run until it ends.

    The exit code is 0 if the run succeeded, and 1 if it failed or was stopped. With --json, each transition is a JSON
    object on a line of its own.

    \b
    fsl watch my_flow_run
    fsl watch my_flow_run --json | jq .to
    """
    ctx.exit(follow_to_end(client, name, after, as_json=as_json))


def follow_to_end(client: Client, run: str, after: int, *, as_json: bool) -> int:
    """Print the transitions of a run until it ends, and return the exit code."""
    for entry in client.watch(run, after):
        if as_json:
            put_line(entry)
        else:
            say(f"{time_of_day(entry['at'])}  {transition(entry)}")
    spec = client.get("flowrun", run)["spec"]
    if not as_json:
        reason = f": {spec['last_err']}" if spec["last_err"] else ""
        say(f"{run} {spec['status']}{reason}", "green" if spec["status"] == "succeeded" else "red")
    return 0 if spec["status"] == "succeeded" else 1
